// Every way in which settings are refused, with the exact words.
#include "config/url.hpp"
#include "test/unit/config/loading.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <ostream>

namespace matricula::config {
namespace {

struct bad_input {
  const char* what;
  std::string file;
  variables environment;
  std::vector<std::string> sets;
  std::string says;
};

void PrintTo(const bad_input& input, std::ostream* out) { *out << input.what; }

class bad_inputs : public testing::TestWithParam<bad_input> {};

TEST_P(bad_inputs, are_refused_with_place_key_found_and_allowed) {
  const auto& given = GetParam();
  EXPECT_EQ(all_problems(load_text(given.file, given.environment, given.sets)), given.says);
}

const std::string listen_allowed =
    "allowed: \"HOST:PORT\", with an IPv6 address in brackets and a port from 0 to 65535";
const std::string new_type = "[identifiers.types.abc]\nlength = 9\nlifecycle = \"pool\"\n";

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

/// Everything that accepting JWTs needs, but a key set and a mode.
std::string with_jwt(const std::string& mode, const std::string& keys) {
  return "[auth]\n" + mode + "\n[auth.jwt]\n" + keys +
         "\nissuer = \"i\"\naudience = [\"a\"]\nrole_map = [\"R=ids:read\"]\n";
}
const std::string url_allowed =
    "allowed: https://HOST[:PORT]/PATH without user and fragment, or http:// with 127.0.0.1, "
    "[::1] or localhost";

const std::vector<bad_input> cases{
    // Keys that do not exist.
    {"typing_error",
     "[server]\nthread = 1\n",
     {},
     {},
     "test.toml:2:10: server.thread: unknown key; did you mean server.threads?"},
    {"swapped_letters",
     "[server]\nlitsen = \"x\"\n",
     {},
     {},
     "test.toml:2:10: server.litsen: unknown key; did you mean server.listen?"},
    {"wrong_section",
     "[server]\ndata_dir = \"x\"\n",
     {},
     {},
     "test.toml:2:12: server.data_dir: unknown key; did you mean storage.data_dir?"},
    {"nothing_near",
     "[server]\nzzzzzzzzzzzz = 1\n",
     {},
     {},
     "test.toml:2:16: server.zzzzzzzzzzzz: unknown key; `matricula config show` lists all"},
    {"unknown_section_once",
     "[sever]\nlisten = \"x\"\nthreads = 1\n",
     {},
     {},
     "test.toml:1:2: sever: unknown key; did you mean server?"},
    {"unknown_top_key", "listen = \"x\"\n", {}, {}, "test.toml:1:10: listen: unknown key; did you mean server.listen?"},
    {"unknown_type_key",
     "[identifiers.types.uin]\nlenght = 9\n",
     {},
     {},
     "test.toml:2:10: identifiers.types.uin.lenght: unknown key; did you mean identifiers.types.uin.length?"},
    {"unknown_rule",
     "[identifiers.types.uin.rules]\neven_digit_limit = 9\n",
     {},
     {},
     "test.toml:2:20: identifiers.types.uin.rules.even_digit_limit: unknown key; did you mean "
     "identifiers.types.uin.rules.even_digits_limit?"},
    {"quoted_key_is_no_path",
     "\"server.threads\" = 1\n",
     {},
     {},
     "test.toml:1:20: \"server.threads\": unknown key; did you mean server.threads?"},
    {"unknown_variable",
     "",
     {{"MATRICULA_SERVER__THREAD", "1"}},
     {},
     "environment MATRICULA_SERVER__THREAD: server.thread: unknown key; did you mean MATRICULA_SERVER__THREADS?"},
    {"variable_with_one_underscore",
     "",
     {{"MATRICULA_SERVER_LISTEN", "x"}},
     {},
     "environment MATRICULA_SERVER_LISTEN: server.listen: found one underscore after the section; allowed: "
     "MATRICULA_SERVER__LISTEN"},
    {"variable_in_small_letters",
     "",
     {{"MATRICULA_server__threads", "1"}},
     {},
     "environment MATRICULA_server__threads: found small letters; allowed: MATRICULA_SERVER__THREADS"},
    {"variable_of_only_underscores",
     "",
     {{"MATRICULA___", ""}},
     {},
     "environment MATRICULA___: .: unknown key; `matricula config show` lists all"},
    {"unknown_set",
     "",
     {},
     {"server.thread=1"},
     "--set server.thread: server.thread: unknown key; did you mean server.threads?"},
    {"set_without_value",
     "",
     {},
     {"server.threads"},
     "--set \"server.threads\": found no '='; allowed: section.key=value"},
    {"set_without_key", "", {}, {"=1"}, "--set \"=1\": found no key; allowed: section.key=value"},

    // Wrong types.
    {"text_for_integer",
     "[server]\nthreads = \"8\"\n",
     {},
     {},
     "test.toml:2:11: server.threads: found the text \"8\"; allowed: an integer from 1 to 1024 (threads)"},
    {"fraction_for_integer",
     "[server]\nthreads = 8.5\n",
     {},
     {},
     "test.toml:2:11: server.threads: found the number 8.5; allowed: an integer from 1 to 1024 (threads)"},
    {"integer_for_text",
     "[storage]\ndata_dir = 7\n",
     {},
     {},
     "test.toml:2:12: storage.data_dir: found the integer 7; allowed: a text of 1 to 4096 bytes without control "
     "characters"},
    {"text_for_boolean",
     "[identifiers.types.uin]\nenabled = \"yes\"\n",
     {},
     {},
     "test.toml:2:11: identifiers.types.uin.enabled: found the text \"yes\"; allowed: true or false"},
    {"other_word_for_boolean_in_variable",
     "",
     {{"MATRICULA_IDENTIFIERS__TYPES__UIN__ENABLED", "yes"}},
     {},
     "environment MATRICULA_IDENTIFIERS__TYPES__UIN__ENABLED: identifiers.types.uin.enabled: found the text \"yes\"; "
     "allowed: true or false"},
    {"date_for_text",
     "[log]\nlevel = 2026-01-01\n",
     {},
     {},
     "test.toml:2:9: log.level: found a date or time; allowed: one of \"debug\", \"info\", \"warning\", \"error\""},
    {"mixed_list",
     "[auth]\nopen_routes = [\"GET /v1/ids\", 1]\n",
     {},
     {},
     "test.toml:2:15: auth.open_routes: found a list with something else than texts; allowed: a list of up to 256 "
     "routes \"METHOD /path\" (GET, POST, PUT, PATCH, DELETE)"},
    {"list_for_integer",
     "[server]\nthreads = [\"1\"]\n",
     {},
     {},
     "test.toml:2:11: server.threads: found a list of 1 text, the first \"1\"; allowed: an integer from 1 to 1024 "
     "(threads)"},
    {"table_for_value",
     "[server.threads]\nmany = 1\n",
     {},
     {},
     "test.toml:1:9: server.threads: found a table; allowed: an integer from 1 to 1024 (threads)"},
    {"value_for_table",
     "server = 3\n",
     {},
     {},
     "test.toml:1:10: server: found the integer 3; allowed: a table [server]"},
    {"list_of_tables",
     "[[server]]\nthreads = 3\n",
     {},
     {},
     "test.toml:1:1: server: found a list with something else than texts; allowed: a table [server]"},
    {"value_for_type",
     "[identifiers.types]\nuin = 3\n",
     {},
     {},
     "test.toml:2:7: identifiers.types.uin: found the integer 3; allowed: a table [identifiers.types.uin]"},
    {"blank_in_integer",
     "",
     {{"MATRICULA_SERVER__THREADS", " 8"}},
     {},
     "environment MATRICULA_SERVER__THREADS: server.threads: found the text \" 8\"; allowed: an integer from 1 to 1024 "
     "(threads)"},
    {"empty_integer",
     "",
     {{"MATRICULA_SERVER__THREADS", ""}},
     {},
     "environment MATRICULA_SERVER__THREADS: server.threads: found the text \"\"; allowed: an integer from 1 to 1024 "
     "(threads)"},
    {"list_with_a_second_line_smuggled_in",
     "",
     {},
     {"auth.open_routes=[]\nmore = 1"},
     "--set auth.open_routes: auth.open_routes: found the text \"[]\\nmore = 1\"; allowed: a list of up to 256 routes "
     "\"METHOD /path\" (GET, POST, PUT, PATCH, DELETE)"},

    // Out of range.
    {"above_the_range",
     "[server]\nthreads = 1025\n",
     {},
     {},
     "test.toml:2:11: server.threads: found the integer 1025; allowed: an integer from 1 to 1024 (threads)"},
    {"beyond_64_bits",
     "",
     {},
     {"server.threads=99999999999999999999"},
     "--set server.threads: server.threads: found the text \"99999999999999999999\"; allowed: an integer from 1 to "
     "1024 (threads)"},
    {"negative",
     "[storage]\naccept_loss_up_to = -1\n",
     {},
     {},
     "test.toml:2:21: storage.accept_loss_up_to: found the integer -1; allowed: an integer from 0 to "
     "9223372036854775807 (group number)"},
    {"empty_folder",
     "[storage]\ndata_dir = \"\"\n",
     {},
     {},
     "test.toml:2:12: storage.data_dir: found the text \"\"; allowed: a text of 1 to 4096 bytes without control "
     "characters"},
    {"control_character",
     "[storage]\ndata_dir = \"a\\u0007\"\n",
     {},
     {},
     "test.toml:2:12: storage.data_dir: found the text \"a\\u0007\"; allowed: a text of 1 to 4096 bytes without "
     "control characters"},
    {"not_utf8_in_variable",
     "",
     {{"MATRICULA_STORAGE__DATA_DIR", "/d\xff"}},
     {},
     "environment MATRICULA_STORAGE__DATA_DIR: storage.data_dir: found the text \"/d\\xFF\"; allowed: a text of 1 to "
     "4096 bytes without control characters"},
    {"huge_variable",
     "",
     {{"MATRICULA_STORAGE__DATA_DIR", std::string(70'000, 'x')}},
     {},
     "environment MATRICULA_STORAGE__DATA_DIR: storage.data_dir: found 70000 bytes; allowed: at most 65536 bytes"},
    {"long_text_is_cut",
     "",
     {{"MATRICULA_STORAGE__DATA_DIR", std::string(5000, 'x')}},
     {},
     "environment MATRICULA_STORAGE__DATA_DIR: storage.data_dir: found the text \"" + std::string(60, 'x') +
         "\"... (5000 bytes); allowed: a text of 1 to 4096 bytes without control characters"},
    {"address_without_port",
     "[server]\nlisten = \"localhost\"\n",
     {},
     {},
     "test.toml:2:10: server.listen: found the text \"localhost\"; " + listen_allowed},
    {"port_too_high",
     "[server]\nlisten = \"127.0.0.1:65536\"\n",
     {},
     {},
     "test.toml:2:10: server.listen: found the text \"127.0.0.1:65536\"; " + listen_allowed},
    {"bare_ipv6",
     "[server]\nlisten = \"::1:80\"\n",
     {},
     {},
     "test.toml:2:10: server.listen: found the text \"::1:80\"; " + listen_allowed},
    {"cron_of_four_fields",
     "[identifiers]\nexpirer_schedule = \"0 23 * *\"\n",
     {},
     {},
     "test.toml:2:20: identifiers.expirer_schedule: found the text \"0 23 * *\"; allowed: five fields: minute, hour, "
     "day of month, month, day of week; or six, the second before them"},
    {"cron_of_seven_fields",
     "[tasks]\nbeat = \"* * * * * * *\"\n",
     {},
     {},
     "test.toml:2:8: tasks.beat: found the text \"* * * * * * *\"; allowed: five fields: minute, hour, day of month, "
     "month, day of week; or six, the second before them"},
    {"time_zone_outside_the_database",
     "[identifiers]\ntime_zone = \"../../etc/passwd\"\n",
     {},
     {},
     "test.toml:2:13: identifiers.time_zone: found the text \"../../etc/passwd\"; allowed: a time zone's name such as "
     "\"UTC\" or \"Africa/Nairobi\""},
    {"route_without_method",
     "[auth]\nopen_routes = [\"/v1/ids\"]\n",
     {},
     {},
     "test.toml:2:15: auth.open_routes: found a list of 1 text, the first \"/v1/ids\"; allowed: a list of up to 256 "
     "routes \"METHOD /path\" (GET, POST, PUT, PATCH, DELETE)"},
    {"blank_in_a_restricted_number",
     "",
     {},
     {"identifiers.types.uin.rules.restricted_numbers=[\"786\", \" 666\"]"},
     "--set identifiers.types.uin.rules.restricted_numbers: identifiers.types.uin.rules.restricted_numbers: found a "
     "list of 2 texts, the first \"786\"; allowed: a list of up to 1000 texts of 1 to 32 digits and capital letters"},
    {"unknown_profile",
     "[identifiers.types.uin]\nprofile = \"mosip\"\n",
     {},
     {},
     "test.toml:2:11: identifiers.types.uin.profile: found the text \"mosip\"; allowed: one of \"strict\", "
     "\"mosip-uin\", \"mosip-uin-validator\", \"mosip-vid\", \"mosip-prid\", \"openg2p\""},

    // Types.
    {"type_with_a_capital",
     "[identifiers.types.Uin]\nlength = 9\n",
     {},
     {},
     "test.toml:1:20: identifiers.types.Uin: found the name \"Uin\"; allowed: a small letter, then 1 to 63 small "
     "letters, digits or underscores"},
    {"type_of_one_letter",
     "",
     {},
     {"identifiers.types.x.length=9"},
     "--set identifiers.types.x.length: identifiers.types.x: found the name \"x\"; allowed: a small letter, then 1 to "
     "63 small letters, digits or underscores"},
    {"new_type_without_length_and_lifecycle",
     "[identifiers.types.abc]\n",
     {},
     {},
     "test.toml:1:20: identifiers.types.abc.length: missing; allowed: an integer from 2 to 32 (characters), which a "
     "new type must say\n"
     "test.toml:1:20: identifiers.types.abc.lifecycle: missing; allowed: one of \"uin\", \"vid\", \"pool\", which a "
     "new type must say"},
    {"mistyped_type_in_a_variable",
     "",
     {{"MATRICULA_IDENTIFIERS__TYPES__FRAMER__LENGTH", "11"}},
     {},
     "environment MATRICULA_IDENTIFIERS__TYPES__FRAMER__LENGTH: identifiers.types.framer.lifecycle: missing; allowed: "
     "one of \"uin\", \"vid\", \"pool\", which a new type must say (did you mean the type farmer?)"},
    {"bad_required_value_is_one_problem",
     "[identifiers.types.abc]\nlength = 99\nlifecycle = \"pool\"\n",
     {},
     {},
     "test.toml:2:10: identifiers.types.abc.length: found the integer 99; allowed: an integer from 2 to 32 "
     "(characters)"},

    // Settings that do not go together.
    {"nobody_asked_on_every_interface",
     "[auth]\nmode = \"none\"\n[server]\nlisten = \"0.0.0.0:8080\"\n",
     {},
     {},
     "test.toml:2:8: auth.mode: found \"none\" with server.listen = \"0.0.0.0:8080\"; allowed: \"none\" only on "
     "127.0.0.1, [::1] or localhost, else \"tokens\", \"jwt\" or \"tokens_and_jwt\""},
    {"nobody_asked_on_a_name_that_looks_like_loopback",
     "",
     {},
     {"auth.mode=none", "server.listen=127.example.org:80"},
     "--set auth.mode: auth.mode: found \"none\" with server.listen = \"127.example.org:80\"; allowed: \"none\" only "
     "on 127.0.0.1, [::1] or localhost, else \"tokens\", \"jwt\" or \"tokens_and_jwt\""},
    {"jwt_without_keys",
     with_jwt("mode = \"jwt\"", "jwks_file = \"\""),
     {},
     {},
     "test.toml:2:8: auth.mode: found \"jwt\" without auth.jwt.jwks_file and auth.jwt.jwks_url; allowed: with one of "
     "the "
     "two"},
    {"jwt_with_two_key_sets",
     with_jwt("mode = \"tokens\"", "jwks_file = \"/keys\"\njwks_url = \"https://issuer.example/keys\""),
     {},
     {},
     "test.toml:5:12: auth.jwt.jwks_url: found besides auth.jwt.jwks_file (test.toml:4); allowed: one of the two"},
    {"jwt_keys_over_plain_http",
     with_jwt("mode = \"tokens_and_jwt\"", "jwks_url = \"http://issuer.example/keys\""),
     {},
     {},
     "test.toml:4:12: auth.jwt.jwks_url: found the text \"http://issuer.example/keys\"; " + url_allowed},
    {"jwt_keys_with_a_password",
     with_jwt("mode = \"jwt\"", "jwks_url = \"https://a:b@issuer.example/keys\""),
     {},
     {},
     "test.toml:4:12: auth.jwt.jwks_url: found the text \"https://a:b@issuer.example/keys\"; " + url_allowed},
    {"jwt_that_says_nothing_else",
     "[auth]\nmode = \"jwt\"\njwt.jwks_file = \"/keys\"\n",
     {},
     {},
     "default: auth.jwt.issuer: found nothing with auth.mode = \"jwt\"; allowed: the claim iss of the tokens to "
     "accept\n"
     "default: auth.jwt.audience: found nothing with auth.mode = \"jwt\"; allowed: at least one value of the claim aud "
     "of the tokens to accept\n"
     "default: auth.jwt.role_map: found nothing with auth.mode = \"jwt\"; allowed: at least one \"ROLE=scope\", or no "
     "token may do anything"},
    {"jwt_role_twice",
     "",
     {},
     {R"(auth.jwt.role_map=["A=ids:read", "B=*", "A=ids:issue"])"},
     "--set auth.jwt.role_map: auth.jwt.role_map: found the role \"A\" twice; allowed: each role once"},
    {"jwt_role_without_scopes",
     "",
     {},
     {"auth.jwt.role_map=A=,B=ids:read"},
     "--set auth.jwt.role_map: auth.jwt.role_map: found a list of 2 texts, the first \"A=\"; allowed: a list of up to "
     "256 texts \"ROLE=scope scope\", such as \"ID_REPOSITORY=ids:*\""},
    {"jwt_tenant_that_no_audit_line_can_hold",
     "",
     {},
     {"auth.jwt.tenant=a/b"},
     "--set auth.jwt.tenant: auth.jwt.tenant: found the text \"a/b\"; allowed: 1 to 64 letters, digits, '.', '_' or "
     "'-'"},
    {"jwt_audience_that_is_empty",
     "[auth.jwt]\naudience = [\"\"]\n",
     {},
     {},
     "test.toml:2:12: auth.jwt.audience: found a list of 1 text, the first \"\"; allowed: a list of up to 16 texts of "
     "1 "
     "to 256 bytes without control characters"},
    {"backoff_upside_down",
     "[runtime]\nbackoff_min_ms = 500\nbackoff_max_ms = 400\n",
     {},
     {},
     "test.toml:3:18: runtime.backoff_max_ms: found the integer 400; allowed: not below backoff_min_ms = 500"},
    {"buffer_below_a_body",
     "[server]\nbuffered_bytes_max = 1048576\nbody_bytes_max = 2000000\n",
     {},
     {},
     "test.toml:2:22: server.buffered_bytes_max: found the integer 1048576; allowed: not below body_bytes_max = "
     "2000000"},
    {"certificate_without_key",
     "[server.tls]\ncertificate = \"/etc/node.crt\"\n",
     {},
     {},
     "default: server.tls.key: found nothing with server.tls.certificate set; allowed: both files, or none"},
    {"key_without_certificate",
     "[server.tls]\nkey = \"/etc/node.key\"\n",
     {},
     {},
     "default: server.tls.certificate: found nothing with server.tls.key set; allowed: both files, or none"},
    {"pool_upside_down",
     new_type + "pool_min = 30000\n",
     {},
     {},
     "default: identifiers.types.abc.pool_target: found the integer 20000; allowed: not below pool_min = 30000"},
    {"letters_too_long",
     new_type + "alphabet = \"letters_and_digits\"\n",
     {},
     {"identifiers.types.abc.length=25"},
     "--set identifiers.types.abc.length: identifiers.types.abc.length: found the integer 25 with alphabet = "
     "\"letters_and_digits\"; allowed: at most 24 characters with letters"},
    {"two_sources_of_the_key",
     "[identifiers]\nkey_file = \"/etc/key\"\n",
     {{"MATRICULA_IDENTIFIERS__KEY", std::string(64, '0')}},
     {},
     "environment MATRICULA_IDENTIFIERS__KEY: identifiers.key: found besides identifiers.key_file (test.toml:2); "
     "allowed: one of identifiers.key_file, identifiers.key_command and identifiers.key"},
    {"key_among_the_data",
     "[identifiers]\nkey_file = \"/var/lib/matricula/../matricula/key\"\n",
     {},
     {},
     "test.toml:2:12: identifiers.key_file: found \"/var/lib/matricula/../matricula/key\" inside storage.data_dir = "
     "\"/var/lib/matricula\"; allowed: a file elsewhere, so that a copy of the data is no copy of the key"},

    // Texts that are no settings file.
    {"syntax_error",
     "[server]\nthreads = \n",
     {},
     {},
     "test.toml:2:11: not valid TOML: Error while parsing key-value pair: expected value, saw '\\n'"},
    {"key_twice",
     "[server]\nthreads = 1\nthreads = 2\n",
     {},
     {},
     "test.toml:3:11: not valid TOML: Error while parsing key-value pair: cannot redefine existing integer "
     "'threads'"},
    {"table_twice",
     "[log]\n[server]\n[log]\n",
     {},
     {},
     "test.toml:3:1: not valid TOML: Error while parsing table header: cannot redefine existing table 'log'"},
    {"not_utf8",
     "[server]\n# caf\xe9\n",
     {},
     {},
     "test.toml:2:6: found the byte 0xE9, which is not UTF-8; allowed: a text file in UTF-8"},
    {"overlong_utf8",
     "# \xc0\xaf\n",
     {},
     {},
     "test.toml:1:3: found the byte 0xC0, which is not UTF-8; allowed: a text file in UTF-8"},
    {"utf8_cut_at_the_end",
     "# \xe2\x82",
     {},
     {},
     "test.toml:1:3: found the byte 0xE2, which is not UTF-8; allowed: a text file in UTF-8"},
    {"column_counts_characters",
     "a = \"\xc3\xa9\xc3\xa9\" ]\n",
     {},
     {},
     "test.toml:1:10: not valid TOML: Error while parsing key-value pair: expected a comment or whitespace, saw ']'"},
    {"too_large", std::string(1'048'577, '#'), {}, {}, "test.toml: found 1048577 bytes; allowed: at most 1048576"},
    {"deep_lists",
     "a = " + std::string(500'000, '['),
     {},
     {},
     "test.toml:1:21: nested too deeply; allowed: 16 brackets or dots inside each other"},
    {"deep_tables_on_many_lines",
     repeated("[\n", 500'000),
     {},
     {},
     "test.toml:17:1: nested too deeply; allowed: 16 brackets or dots inside each other"},
    {"deep_keys",
     repeated("a.", 500'000) + "a = 1\n",
     {},
     {},
     "test.toml:1:34: nested too deeply; allowed: 16 brackets or dots inside each other"},
};

INSTANTIATE_TEST_SUITE_P(table, bad_inputs, testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.what); });

TEST(nesting, does_not_count_what_is_in_strings_and_comments) {
  const std::string deep = std::string(40, '[') + repeated("a.", 40);
  const auto text = "# " + deep + "\n[storage]\ndata_dir = \"" + deep + "\\\"" + deep + "\" # " + deep +
                    "\n[identifiers]\nkey_file = '" + deep + "'\nkey_command = \"\"\n[auth]\ntokens_file = '''" + deep +
                    "''''' \n";
  EXPECT_EQ(accepted(load_text(text)).values.storage.data_dir, deep + "\"" + deep);
}

TEST(auth_none, is_accepted_on_every_spelling_of_loopback) {
  for (const auto* listen : {"127.0.0.1:80", "127.8.9.1:0", "[::1]:8080", "localhost:8080"})
    EXPECT_EQ(all_problems(load_text("", {}, {"auth.mode=none", std::string("server.listen=") + listen})), "")
        << listen;
}

TEST(auth_none, is_refused_on_every_other_address) {
  for (const auto* listen : {"0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.org:80", "1.127.0.0:80"})
    EXPECT_NE(all_problems(load_text("", {}, {"auth.mode=none", std::string("server.listen=") + listen})), "")
        << listen;
}

TEST(auth_jwt, is_accepted_with_a_file_or_an_address) {
  for (const auto* mode : {"jwt", "tokens_and_jwt"})
    for (const auto* keys :
         {"jwks_file = \"/keys\"", "jwks_url = \"https://issuer.example\"",
          "jwks_url = \"https://[2001:db8::1]:8443/a?b\"", "jwks_url = \"http://127.0.0.1:8080/keys\"",
          "jwks_url = \"http://[::1]/keys\"", "jwks_url = \"http://localhost/keys\""}) {
      const auto now = accepted(load_text(with_jwt("mode = \"" + std::string(mode) + '"', keys)));
      EXPECT_TRUE(takes_jwt(now.values.auth.mode)) << mode;
    }
}

TEST(auth_jwt, has_roles_with_scopes) {
  const auto now =
      accepted(load_text("", {{"MATRICULA_AUTH__JWT__ROLE_MAP", "ID_REPOSITORY=ids:*, the clerk=ids:read a:b"}}));
  ASSERT_EQ(now.values.jwt.role_map.size(), 2U);
  const auto clerk = parse_role(now.values.jwt.role_map[1]);
  ASSERT_TRUE(clerk);
  EXPECT_EQ(clerk->role, "the clerk");
  EXPECT_EQ(clerk->scopes, (std::vector<std::string>{"ids:read", "a:b"}));
  EXPECT_EQ(parse_role("a=b=*")->role, "a=b") << "a scope has no equals sign";
  for (const auto* bad : {"", "=", "A", "A=", "=ids:read", "A=ids:read ", "A= ids:read", "A=ids:read  b", " A=b",
                          "A =b", "A=b/c", "A=b,c", "A\t=b", "\xc3\xa4=b"})
    EXPECT_FALSE(parse_role(bad)) << bad;
  EXPECT_FALSE(parse_role(std::string(129, 'a') + "=b"));
  EXPECT_FALSE(parse_role("a=" + std::string(65, 'b')));
}

TEST(key_set_address, is_taken_apart) {
  const auto plain = split_url("http://localhost");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(plain->host, "localhost");
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->target, "/");
  const auto full = split_url("https://[2001:db8::1]:8443/realms/a/certs?x=1");
  ASSERT_TRUE(full);
  EXPECT_TRUE(full->tls);
  EXPECT_EQ(full->host, "2001:db8::1");
  EXPECT_EQ(full->port, 8443);
  EXPECT_EQ(full->target, "/realms/a/certs?x=1");
  EXPECT_EQ(split_url("https://issuer.example?x")->target, "/?x");
  EXPECT_EQ(split_url("https://issuer.example/a")->port, 443);
  EXPECT_EQ(split_url("https://[::1]/a")->port, 443);
  for (const auto* bad :
       {"", "issuer.example", "ftp://a", "HTTPS://a", "https://", "https:///a", "https://a:0",
        "https://a:", "https://a:65536", "https://u@a", "https://u:p@a", "https://a#b", "https://a/b#c",
        "https://a/b c", "https://a b", "https://::1", "https://[::1", "https://a\\b"})
    EXPECT_FALSE(split_url(bad)) << bad;
}

TEST(key_file, may_not_stand_in_the_data_folder_however_the_two_are_named) {
  const auto here = std::filesystem::current_path().string();
  const std::vector<std::pair<std::string, std::string>> pairs = {{here + "/data/key", "data"},
                                                                  {"data/key", here + "/data"},
                                                                  {"./data/../data/key", here + "/data/"},
                                                                  {"key", here}};
  for (const auto& [key, data] : pairs)
    EXPECT_THAT(all_problems(load_text("", {}, {"identifiers.key_file=" + key, "storage.data_dir=" + data})),
                ::testing::HasSubstr("inside storage.data_dir"))
        << key << " " << data;
  EXPECT_EQ(all_problems(load_text("", {}, {"identifiers.key_file=key", "storage.data_dir=" + here + "/data"})), "");
}

TEST(key_file, may_stand_beside_the_data_folder) {
  EXPECT_EQ(all_problems(load_text("", {}, {"identifiers.key_file=/var/lib/matricula.key"})), "");
  EXPECT_EQ(all_problems(load_text("", {}, {"identifiers.key_file=key", "storage.data_dir=data"})), "");
}

} // namespace
} // namespace matricula::config
