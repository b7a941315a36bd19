-- What the bridge keeps in OpenG2P's database, beside OpenG2P's own tables. The bridge creates it when it may create
-- schemas; otherwise a database administrator runs this file once, and then docs/bridge.md has the rights to give.
CREATE SCHEMA IF NOT EXISTS matricula;

-- Tasks that a bridge has begun: who works on it until when, when it is due again, how often it was tried. A row goes
-- when its task is COMPLETED or FAILED.
CREATE TABLE IF NOT EXISTS matricula.bridge_try (
  task_table    text        NOT NULL,
  step          text        NOT NULL CHECK (step IN ('request', 'update')),
  task_id       bigint      NOT NULL,
  owner         text,
  lease_until   timestamptz,
  due_at        timestamptz NOT NULL,
  tries         integer     NOT NULL DEFAULT 0,
  trying        boolean     NOT NULL DEFAULT false, -- a try has begun and no end of it is known
  attempts_seen integer     NOT NULL DEFAULT 0,     -- OpenG2P's own count when the bridge looked last
  PRIMARY KEY (task_table, step, task_id)
);
-- Not by table and step first: a planner without statistics would then take it for the primary key.
CREATE INDEX IF NOT EXISTS bridge_try_due ON matricula.bridge_try (due_at);
CREATE INDEX IF NOT EXISTS bridge_try_owner ON matricula.bridge_try (owner) WHERE owner IS NOT NULL;

-- Numbers calls.
CREATE SEQUENCE IF NOT EXISTS matricula.bridge_call_number;

-- The last call for an identifier of each registrant. It is written before the generator is asked ('calling'), and
-- again with the answer before that is used ('answered'); 'applied' once the registrant has it. `subject` is what the
-- identifiers are for, SCHEMA.TABLE.COLUMN: bridges of one database may serve different ones.
CREATE TABLE IF NOT EXISTS matricula.bridge_call (
  subject       text   NOT NULL,
  registrant_id bigint NOT NULL,
  call_number   bigint NOT NULL DEFAULT 0,
  generator     text   NOT NULL DEFAULT '',
  state         text   NOT NULL DEFAULT 'ended' CHECK (state IN ('calling', 'answered', 'applied', 'ended')),
  owner         text,
  lease_until   timestamptz,
  called_at     timestamptz,
  identifier    text,
  collisions    integer NOT NULL DEFAULT 0, -- identifiers that came and were another registrant's
  PRIMARY KEY (subject, registrant_id)
);
CREATE INDEX IF NOT EXISTS bridge_call_open ON matricula.bridge_call (lease_until) WHERE state = 'calling';

-- Calls that consumed an identifier which no registrant got from them, or may have: without an identifier it is not
-- known whether the call had its effect.
CREATE TABLE IF NOT EXISTS matricula.bridge_doubt (
  call_number   bigint PRIMARY KEY,
  subject       text   NOT NULL,
  registrant_id bigint NOT NULL,
  generator     text   NOT NULL,
  owner         text,
  called_at     timestamptz,
  listed_at     timestamptz NOT NULL DEFAULT now(),
  reason        text   NOT NULL,
  identifier    text
);

-- Wakes the bridges. A trigger on OpenG2P's table of tasks calls it.
CREATE OR REPLACE FUNCTION matricula.bridge_wake() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM pg_catalog.pg_notify('matricula_bridge', '');
  RETURN NULL;
END
$$;
