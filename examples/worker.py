#!/usr/bin/env python3
"""A remote worker: runs a program for each task of one worker type, on any machine. Python 3.9 or later, no packages.

    export MATRICULA_TOKEN=...                 # of the scope tasks:work
    examples/worker.py --url http://localhost:8080 --type example -- ./send-form

The program gets the task's worker_payload as JSON on standard input and MATRICULA_TASK_ID in its environment. How it ends
decides what becomes of the task:

    0    done. What it wrote to standard output, JSON or text, is the task's result
    65   (EX_DATAERR) trying again cannot help: FAILED at once
    75   (EX_TEMPFAIL) what it needs is not there yet: again later, and the attempt does not count
    else the attempt failed: again after a wait, until the attempts of the worker type are spent

What it wrote to standard error is the reason. A thread renews the lease while the program runs. When the lease is lost,
because the worker was frozen or cut off or the task was cancelled, the program is stopped and nothing is reported: the
task is somebody else's. So a program may run twice for one task; by MATRICULA_TASK_ID it can see that.

SIGTERM or SIGINT: what runs is finished and reported, then the worker ends. A second one stops the program, too, and
gives the task back.
"""
import argparse
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

WAIT_SECONDS = 4  # for tasks; the node answers after server.request_deadline_ms, 5 s unless it is set otherwise
RESULT_BYTES_MAX = 16 * 1024
TEXT_MAX = 1000
EX_DATAERR, EX_TEMPFAIL = 65, 75
# No answer, or half of one: asking again may help.
NO_ANSWER = (OSError, http.client.HTTPException, ValueError)


def log(text):
    print(text, flush=True)


class Refused(Exception):
    """The node's answer is a problem (RFC 9457)."""

    def __init__(self, status, code, detail):
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code

    def may_pass(self):
        return self.status >= 500 or self.status == 429


class Node:
    def __init__(self, url, token, ca_file=None):
        self.url = url.rstrip("/")
        self.headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
        tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file))
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls)

    def post(self, path, body, timeout=15.0):
        """The answer's JSON. Raises Refused, and one of NO_ANSWER."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), self.headers, method="POST")
        try:
            with self.opener.open(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                problem = json.load(error)
            except ValueError:
                problem = {}
            raise Refused(error.code, problem.get("code", ""), problem.get("detail", error.reason)) from None


class Lease:
    """A task in this worker's hands. A thread says that it still is; `on_lost` is called when it is not."""

    def __init__(self, node, task, seconds, on_lost):
        self.node, self.task, self.seconds, self.on_lost = node, task, seconds, on_lost
        self.ends = time.monotonic() + seconds
        self.lost = threading.Event()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.renew, daemon=True)
        self.thread.start()

    def path(self, act):
        return f"/v1/tasks/{self.task['id']}/{act}"

    def renew(self):
        while not self.over.wait(self.seconds / 3):
            asked = time.monotonic()
            try:
                self.node.post(self.path("heartbeat"), {"token": self.task["token"], "lease_seconds": self.seconds},
                               timeout=max(1.0, self.seconds / 3))
                self.ends = asked + self.seconds
            except Refused as why:
                if not why.may_pass():
                    self.ends = asked
            except NO_ANSWER:
                pass
            if time.monotonic() >= self.ends:
                self.lost.set()
                self.on_lost()
                return

    def stop(self):
        self.over.set()
        self.thread.join()

    def report(self, act, body):
        """Says how the attempt ended, again and again while the lease holds: twice does no harm."""
        pause = 0.1
        while True:
            try:
                return self.node.post(self.path(act), dict(body, token=self.task["token"]))
            except Refused as why:
                if not why.may_pass():
                    raise
            except NO_ANSWER:
                pass
            if time.monotonic() + pause >= self.ends:
                raise TimeoutError("the node gave no answer while the lease held")
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def result_of(output):
    text = output.decode(errors="replace").strip()
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return value if len(json.dumps(value).encode()) <= RESULT_BYTES_MAX else text[:TEXT_MAX]


class Worker:
    def __init__(self, node, options):
        self.node, self.options = node, options
        self.stopping = threading.Event()
        self.giving_back = False
        self.program = None

    def listen(self):
        """Signals are obeyed by a thread of their own: a handler would run in the main thread, which may hold the very
        lock that the handler needs."""
        heard, told = os.pipe()
        os.set_blocking(told, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(told)
        threading.Thread(target=self.obey, args=(heard,), daemon=True).start()

    def obey(self, heard):
        while os.read(heard, 1):
            if self.stopping.is_set():
                self.giving_back = True
                self.stop_program()
            else:
                self.stopping.set()
                log("ending; what runs is finished first")

    def stop_program(self):
        program = self.program
        if program is None or program.poll() is not None:
            return

        def end(how):
            if program.poll() is None:
                os.killpg(program.pid, how)

        end(signal.SIGTERM)
        killer = threading.Timer(5.0, end, [signal.SIGKILL])
        killer.daemon = True
        killer.start()

    def run(self):
        """Until it is told to stop."""
        pause = 0.1
        while not self.stopping.is_set():
            try:
                wanted = {"worker": self.options.name, "wait_seconds": WAIT_SECONDS,
                          "lease_seconds": self.options.lease_seconds}
                tasks = self.node.post(f"/v1/queues/{self.options.type}/lease", wanted)["items"]
                pause = 0.1
            except Refused as why:
                if not why.may_pass():
                    raise SystemExit(f"The node refuses this worker: {why}") from None
                log(f"no tasks: {why}")
                tasks = []
                self.stopping.wait(pause)
                pause = min(pause * 2, 5.0)
            except NO_ANSWER as why:
                log(f"no tasks: {why}")
                tasks = []
                self.stopping.wait(pause)
                pause = min(pause * 2, 5.0)
            for task in tasks:
                self.work_on(task)

    def work_on(self, task):
        lease = Lease(self.node, task, self.options.lease_seconds, self.stop_program)
        try:
            if self.stopping.is_set():
                act, body = "fail", {"kind": "not_yet", "error": "The worker is stopping.", "retry_in_seconds": 0}
            else:
                act, body = self.run_program(task, lease)
        finally:
            lease.stop()
        if lease.lost.is_set():
            return log(f"task {task['id']}: lease lost, nothing reported")
        try:
            told = lease.report(act, body)
            log(f"task {task['id']}: {told['task_status']}")
        except Refused as why:
            log(f"task {task['id']}: lease lost, nothing counted" if why.code == "lease_lost"
                else f"task {task['id']}: the report was refused: {why}")
        except TimeoutError as why:
            log(f"task {task['id']}: not reported: {why}")

    def run_program(self, task, lease):
        """How the attempt ended: the route and its body."""
        try:
            # A group of its own: what it starts is stopped with it.
            self.program = subprocess.Popen(self.options.program, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, start_new_session=True,
                                            env=dict(os.environ, MATRICULA_TASK_ID=str(task["id"])))
        except OSError as why:
            return "fail", {"kind": "transient", "error": f"The program cannot be started: {why}"}
        if lease.lost.is_set():
            self.stop_program()
        output, errors = self.program.communicate(json.dumps(task["worker_payload"]).encode())
        status = self.program.returncode
        self.program = None
        if status == 0:
            return "complete", {"result": result_of(output)}
        if self.giving_back:
            return "fail", {"kind": "not_yet", "error": "The worker was stopped.", "retry_in_seconds": 0}
        reason = errors.decode(errors="replace").strip()[-TEXT_MAX:] or f"The program ended with {status}."
        kind = {EX_DATAERR: "permanent", EX_TEMPFAIL: "not_yet"}.get(status, "transient")
        return "fail", {"kind": kind, "error": reason}


def read_options():
    options = argparse.ArgumentParser(description="Runs a program for each task of a worker type.",
                                      epilog="The token is in MATRICULA_TOKEN. Exit codes of the program: see the source.")
    options.add_argument("--url", default="http://localhost:8080")
    options.add_argument("--type", required=True, help="the worker type")
    options.add_argument("--name", default=f"{socket.gethostname()[:50]}-{os.getpid()}", help="for the tasks' history")
    options.add_argument("--lease-seconds", type=int, default=30)
    options.add_argument("--ca-file", help="PEM, where the node's certificate is not of a public authority")
    options.add_argument("program", nargs="+", metavar="PROGRAM")
    return options.parse_args()


def main():
    options = read_options()
    token = os.environ.pop("MATRICULA_TOKEN", "")  # not for the program
    if not token:
        raise SystemExit("MATRICULA_TOKEN is not set.")
    worker = Worker(Node(options.url, token, options.ca_file), options)
    worker.listen()
    log(f"{options.name} asks for tasks of {options.type}")
    worker.run()
    log("stopped")


if __name__ == "__main__":
    main()
