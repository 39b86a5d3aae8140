/*
 * The command line; see options.h.
 */
#include "cli/options.h"

#include "base/clock.h"
#include "base/number.h"
#include "config/shard.h"
#include "expose/prefix.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define SECONDS_MAX 86400
#define LINE_LIMIT_MIN 1024
#define LINE_LIMIT_MAX 1048576
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* What a flag does: sets a field of that type, or chooses a command. */
enum flag_kind {
    FLAG_TEXT,
    FLAG_TEXTS,
    FLAG_SWITCH,
    FLAG_NUMBER,
    FLAG_SECONDS,
    FLAG_LOG_LEVEL,
    FLAG_LOG_FORMAT,
    FLAG_COMMAND
};

struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset; /* of the field; not of FLAG_COMMAND */
    enum command command;
    const char *argument; /* NULL: takes none */
    const char *help;     /* NULL: not shown; it prints a table of the README */
};

#define FLAG(name, kind, field, argument, help)                                                                        \
    { name, kind, offsetof(struct options, field), COMMAND_RUN, argument, help }
#define COMMAND(name, command, help)                                                                                   \
    { name, FLAG_COMMAND, 0, command, NULL, help }

static const struct flag daemon_flags[] = {
    FLAG("config.file", FLAG_TEXT, config_file, "FILE", "the configuration (YAML)"),
    COMMAND("config.check", COMMAND_CHECK_CONFIG, "check the configuration and exit"),
    COMMAND("print-config", COMMAND_PRINT_CONFIG, "print it with all defaults, without secrets"),
    FLAG("web.listen-address", FLAG_TEXTS, listen_addresses, "ADDRESS",
         "[HOST]:PORT or unix:/PATH, repeatable (:9704)"),
    FLAG("web.systemd-socket", FLAG_SWITCH, systemd_socket, NULL, "… or on what systemd has opened"),
    FLAG("web.config.file", FLAG_TEXT, web_config_file, "FILE", "TLS, users, headers, rate limit: see README"),
    FLAG("web.telemetry-path", FLAG_TEXT, telemetry_path, "PATH", "path of the metrics (default /metrics)"),
    FLAG("shard", FLAG_TEXT, shard, "I/N", "watch only the I-th of N parts of the targets"),
    FLAG("timeout-offset", FLAG_SECONDS, timeout_offset_ns, "S", "/probe answers so early (default 0.25 s)"),
    FLAG("web.external-url", FLAG_TEXT, external_url, "URL", "where browsers find us: its path leads links …"),
    FLAG("web.route-prefix", FLAG_TEXT, route_prefix, "PATH", "… and our own paths, if they have no other one"),
    FLAG("storage.path", FLAG_TEXT, storage_path, "FOLDER", "where places in logs and counts outlive us"),
    FLAG("log.level", FLAG_LOG_LEVEL, log_level, "LEVEL", "debug, info (default), warn or error"),
    FLAG("log.format", FLAG_LOG_FORMAT, log_format, "FORMAT", "logfmt (default) or json"),
    FLAG("mysqld.address", FLAG_TEXT, mysqld_address, "HOST:PORT", "one target without a configuration file …"),
    FLAG("mysqld.username", FLAG_TEXT, mysqld_username, "USER", "… its user; password: MYSQLD_EXPORTER_PASSWORD"),
    FLAG("config.my-cnf", FLAG_TEXT, my_cnf, "FILE", "… or both from the [client] group of FILE"),
    COMMAND("print-causes", COMMAND_PRINT_CAUSES, NULL),
    COMMAND("print-drivers", COMMAND_PRINT_DRIVERS, NULL),
    COMMAND("print-advice", COMMAND_PRINT_ADVICE, NULL),
    COMMAND("print-metrics", COMMAND_PRINT_METRICS, NULL),
    COMMAND("print-ages", COMMAND_PRINT_AGES, NULL),
    COMMAND("print-api", COMMAND_PRINT_API, NULL),
    COMMAND("print-config-reference", COMMAND_PRINT_CONFIG_REFERENCE, NULL),
    COMMAND("version", COMMAND_VERSION, "print the version"),
    COMMAND("help", COMMAND_HELP, "print this"),
};

static const struct flag probe_flags[] = {
    FLAG("count", FLAG_NUMBER, probe.count, "N", "probes to make (default 5); 0: until Ctrl-C"),
    FLAG("interval", FLAG_SECONDS, probe.interval_ns, "S", "seconds from one to the next (default 1), or 10ms, 2m"),
    FLAG("timeout", FLAG_SECONDS, probe.timeout_ns, "S", "seconds until one has failed (default 5)"),
    FLAG("close", FLAG_TEXT, probe.close, "STYLE", "quit_wait (default), quit_now, mid_result, none, reset"),
    FLAG("hold", FLAG_SECONDS, probe.hold_ns, "S", "leave the connection idle so long, then use it again"),
    FLAG("user", FLAG_TEXT, probe.user, "USER", "the account; its password as told below"),
    FLAG("config.my-cnf", FLAG_TEXT, probe.my_cnf, "FILE", "user, password and ssl-… of its [client] group"),
    FLAG("get-server-public-key", FLAG_SWITCH, probe.get_server_public_key, NULL, "as mysql's option, without TLS"),
    FLAG("tls.mode", FLAG_TEXT, probe.tls_mode, "MODE", "disabled, preferred (default), required, verify-ca or"),
    FLAG("tls.ca", FLAG_TEXT, probe.tls_ca, "FILE", "… verify-identity, which a CA given here implies"),
    FLAG("tls.cert", FLAG_TEXT, probe.tls_cert, "FILE", "our own certificate …"),
    FLAG("tls.key", FLAG_TEXT, probe.tls_key, "FILE", "… and its private key"),
    FLAG("json", FLAG_SWITCH, probe.json, NULL, "an object a line: each probe, then the summary"),
    COMMAND("help", COMMAND_HELP, "print this"),
};

static const struct flag doctor_flags[] = {
    FLAG("for", FLAG_SECONDS, doctor.for_ns, "S", "seconds to look (default 30), or 2m"),
    FLAG("error-log.file", FLAG_TEXT, doctor.error_log_file, "F", "the server's error log, to follow meanwhile"),
    FLAG("error-log.source", FLAG_TEXT, doctor.error_log_source, "S",
         "auto (default: as the server says), table or none"),
    FLAG("timeout", FLAG_SECONDS, doctor.look.timeout_ns, "S", "seconds until a poll or probe has failed (default 5)"),
    FLAG("user", FLAG_TEXT, doctor.look.user, "USER", "the account; its password as told below"),
    FLAG("config.my-cnf", FLAG_TEXT, doctor.look.my_cnf, "FILE", "user, password and ssl-… of its [client] group"),
    FLAG("get-server-public-key", FLAG_SWITCH, doctor.look.get_server_public_key, NULL,
         "as mysql's option, without TLS"),
    FLAG("tls.mode", FLAG_TEXT, doctor.look.tls_mode, "MODE", "disabled, preferred (default), required, verify-ca or"),
    FLAG("tls.ca", FLAG_TEXT, doctor.look.tls_ca, "FILE", "… verify-identity, which a CA given here implies"),
    FLAG("tls.cert", FLAG_TEXT, doctor.look.tls_cert, "FILE", "our own certificate …"),
    FLAG("tls.key", FLAG_TEXT, doctor.look.tls_key, "FILE", "… and its private key"),
    FLAG("json", FLAG_SWITCH, doctor.look.json, NULL, "one object"),
    COMMAND("help", COMMAND_HELP, "print this"),
};

static const struct flag explain_flags[] = {
    FLAG("since", FLAG_TEXT, explain.since, "TIME", "only what happened at TIME or later …"),
    FLAG("until", FLAG_TEXT, explain.until, "TIME", "… and before this TIME"),
    FLAG("time-zone", FLAG_TEXT, explain.time_zone, "ZONE", "of lines that name none: Area/City, +hh:mm or local"),
    FLAG("top", FLAG_NUMBER, explain.top, "N", "rows of each list (default 10)"),
    FLAG("line-limit", FLAG_NUMBER, explain.line_limit, "BYTES", "cut longer lines (default 65536)"),
    FLAG("json", FLAG_SWITCH, explain.json, NULL, "the summary as one object …"),
    FLAG("events", FLAG_SWITCH, explain.events, NULL, "… or, with --json, each event as an object a line"),
    COMMAND("help", COMMAND_HELP, "print this"),
};
#undef FLAG
#undef COMMAND

/* --- what must fit together: NULL, or what is wrong --- */

/* What is wrong with a prefix, as a message; NULL if nothing is. */
static const char *check_prefix(const char *(*parse)(const char *, struct strbuf *), const char *text,
                                const char *message) {
    struct strbuf ignored;
    strbuf_init(&ignored, 2048);
    const char *wrong = text ? parse(text, &ignored) : NULL;
    strbuf_release(&ignored);
    return wrong ? message : NULL;
}

static const char *check_daemon(const struct options *options) {
    bool needs_target = options->command == COMMAND_RUN || options->command == COMMAND_CHECK_CONFIG ||
                        options->command == COMMAND_PRINT_CONFIG;
    bool flags_name_target = options->mysqld_address || options->mysqld_username || options->my_cnf;
    if (options->config_file && flags_name_target)
        return "--config.file cannot be given together with --mysqld.address, --mysqld.username or --config.my-cnf";
    if (needs_target && !options->config_file && !flags_name_target)
        return "what to watch? Give --config.file=FILE, or --mysqld.address=HOST:PORT (see --help)";
    if (options->shard && !shard_parse(options->shard, &(struct shard){0}))
        return "--shard must be I/N, two numbers, I from 0 to N";
    if (options->telemetry_path[0] != '/')
        return "--web.telemetry-path must begin with '/'";
    const char *wrong = check_prefix(prefix_of_url, options->external_url,
                                     "--web.external-url must be as http://host:port/path, the path plain");
    return wrong ? wrong
                 : check_prefix(prefix_of_path, options->route_prefix,
                                "--web.route-prefix must begin with '/', and be plain: letters, digits, - . _ ~");
}

static const char *check_probe(const struct options *options) {
    return options->command == COMMAND_PROBE && !options->probe.host ? "probe: which HOST? (see probe --help)" : NULL;
}

static const char *check_doctor(const struct options *options) {
    const struct doctor_options *doctor = &options->doctor;
    if (options->command != COMMAND_DOCTOR)
        return NULL;
    if (doctor->error_log_file && doctor->error_log_source)
        return "doctor: --error-log.file and --error-log.source exclude each other";
    return doctor->look.host ? NULL : "doctor: which HOST? (see doctor --help)";
}

static const char *check_explain(const struct options *options) {
    const struct explain_options *explain = &options->explain;
    if (options->command != COMMAND_EXPLAIN)
        return NULL;
    if (explain->file_count == 0)
        return "explain: which FILE? (see explain --help)";
    if (explain->events && !explain->json)
        return "explain: --events needs --json";
    if (explain->line_limit < LINE_LIMIT_MIN || explain->line_limit > LINE_LIMIT_MAX)
        return "explain: --line-limit is 1024 to 1048576";
    return NULL;
}

/* The first one is the daemon's, which has no name. */
static const struct subcommand {
    const char *name;
    enum command command;
    const struct flag *flags;
    size_t flag_count;
    const char *operand; /* the one argument that is no flag; NULL: takes none */
    size_t operand_offset;
    bool takes_files; /* any number of operands: explain.files */
    const char *(*check)(const struct options *options);
    const char *usage, *intro, *outro;
} subcommands[] = {
    {.name = "",
     .command = COMMAND_RUN,
     .flags = daemon_flags,
     .flag_count = COUNT_OF(daemon_flags),
     .check = check_daemon,
     .usage = "--config.file=FILE [FLAGS]",
     .intro = "Metrics of connections to MySQL and MariaDB for Prometheus: who hung up, and why\n",
     .outro = "SIGHUP reloads the configuration; SIGTERM and SIGINT end.\n"},
    {.name = "probe",
     .command = COMMAND_PROBE,
     .flags = probe_flags,
     .flag_count = COUNT_OF(probe_flags),
     .operand = "HOST",
     .operand_offset = offsetof(struct options, probe.host),
     .check = check_probe,
     .usage = "probe HOST [FLAGS]",
     .intro = "Like ping, for a database: how long each phase of a connection takes, and how\n"
              "its close goes. HOST is host[:port], [v6]:port or unix:/path.\n",
     .outro = "The password comes from the option file, from MYSQL_PWD, or is asked for on the\n"
              "terminal. There is no flag for it: everybody may read the list of processes.\n"
              "Without --user and --config.my-cnf, ~/.my.cnf is read if it is there.\n"
              "Exit status: 0 when all probes succeeded, 1 when some failed, 2 wrong usage.\n"},
    {.name = "doctor",
     .command = COMMAND_DOCTOR,
     .flags = doctor_flags,
     .flag_count = COUNT_OF(doctor_flags),
     .operand = "HOST",
     .operand_offset = offsetof(struct options, doctor.look.host),
     .check = check_doctor,
     .usage = "doctor HOST [FLAGS]",
     .intro = "Looks at a server's connections for a while, and tells what is wrong with them:\n"
              "what, by which evidence, and what to change; the most urgent first.\n"
              "HOST is host[:port], [v6]:port or unix:/path.\n",
     .outro = "It polls over one connection and probes with fresh ones, each two seconds, and\n"
              "closes each with COM_QUIT. Ctrl-C ends the looking and tells what was found.\n"
              "The password comes from the option file, from MYSQL_PWD, or is asked for on the\n"
              "terminal. There is no flag for it: everybody may read the list of processes.\n"
              "Without --user and --config.my-cnf, ~/.my.cnf is read if it is there.\n"
              "Exit status: 0 when nothing worse than an info was found, 1 when something was,\n"
              "or the server was not reached, 2 wrong usage.\n"},
    {.name = "explain",
     .command = COMMAND_EXPLAIN,
     .flags = explain_flags,
     .flag_count = COUNT_OF(explain_flags),
     .takes_files = true,
     .check = check_explain,
     .usage = "explain FILE... [FLAGS]",
     .intro = "What error logs say of connections: who was aborted, why, how often and when.\n"
              "Reads plain and gzip files in the order given; - is stdin. Asks no server.\n",
     .outro = "TIME is 2026-11-21, \"2026-11-21 06:21[:48]\", RFC 3339, or a time ago: 2h, 3d.\n"
              "Without a zone it is in --time-zone, or else in this machine's zone; so are, for\n"
              "the comparison, lines without one. Shown are times in UTC; without --time-zone\n"
              "those of lines that name no zone as the line has them.\n"
              "Events without any time are left out, and counted, when a TIME is given.\n"
              "Exit status: 0, 1 when a file could not be read (to its end), 2 wrong usage.\n"},
};

static const struct subcommand *find_subcommand(const char *name) {
    for (size_t i = 0; i < COUNT_OF(subcommands); i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

/* --- parsing --- */

/* One line on stderr; always -EINVAL. */
static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    fputs("mysqlconn_exporter: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    return -EINVAL;
}

/* "2", "0.5", or a duration with its unit. */
static int parse_seconds(const char *text, int64_t *out_ns) {
    double seconds;
    if (number_parse_double(span_of(text), &seconds) < 0)
        return number_parse_duration(span_of(text), SECONDS_MAX * NS_PER_S, out_ns);
    if (seconds < 0 || seconds > SECONDS_MAX)
        return -ERANGE;
    *out_ns = (int64_t)(seconds * 1e9);
    return 0;
}

/* Put the value of a flag into its field. 0 or -EINVAL. */
static int take(const struct flag *flag, const char *value, struct options *options) {
    void *field = (char *)options + flag->offset;
    switch (flag->kind) {
    case FLAG_TEXT:
        memcpy(field, &value, sizeof value);
        return 0;
    case FLAG_TEXTS:
        if (((struct texts_option *)field)->count == TEXTS_OPTION_MAX)
            return -EINVAL;
        ((struct texts_option *)field)->texts[((struct texts_option *)field)->count++] = value;
        return 0;
    case FLAG_SWITCH:
        *(bool *)field = true;
        return 0;
    case FLAG_NUMBER:
        return number_parse_u64(span_of(value), UINT64_MAX, field) < 0 ? -EINVAL : 0;
    case FLAG_SECONDS:
        return parse_seconds(value, field) < 0 ? -EINVAL : 0;
    case FLAG_LOG_LEVEL:
        return log_level_parse(value, field);
    case FLAG_LOG_FORMAT:
        return log_format_parse(value, field);
    case FLAG_COMMAND:
        options->command = flag->command;
        return 0;
    }
    return -EINVAL;
}

/* The arguments after the subcommand's name, which argv[0] stands for. */
static int parse_flags(const struct subcommand *sub, int argc, char **argv, struct options *options) {
    enum { FLAGS_MAX = 32 };
    struct option longs[FLAGS_MAX + 1] = {0};
    _Static_assert(COUNT_OF(daemon_flags) <= FLAGS_MAX && COUNT_OF(probe_flags) <= FLAGS_MAX &&
                       COUNT_OF(doctor_flags) <= FLAGS_MAX && COUNT_OF(explain_flags) <= FLAGS_MAX,
                   "more flags");
    for (size_t i = 0; i < sub->flag_count; i++)
        longs[i] =
            (struct option){sub->flags[i].name, sub->flags[i].argument ? required_argument : no_argument, NULL, (int)i};
    optind = 0; /* begin anew: unit tests parse more than once */
    for (;;) {
        int i = getopt_long(argc, argv, "", longs, NULL);
        if (i == -1)
            break;
        if (i < 0 || (size_t)i >= sub->flag_count)
            return -EINVAL; /* getopt has said why */
        if (take(&sub->flags[i], optarg, options) < 0)
            return complain("--%s: '%s' is not right: %s", sub->flags[i].name, optarg, sub->flags[i].help);
    }
    if (sub->operand && optind < argc) {
        const char *value = argv[optind++];
        memcpy((char *)options + sub->operand_offset, &value, sizeof value);
    }
    if (sub->takes_files) {
        options->explain.files = (const char *const *)argv + optind;
        options->explain.file_count = (size_t)(argc - optind);
        return 0;
    }
    if (optind < argc)
        return complain("unexpected argument '%s' (see --help)", argv[optind]);
    return 0;
}

int options_parse(int argc, char **argv, struct options *options) {
    const struct subcommand *sub = &subcommands[0];
    bool help = argc > 1 && strcmp(argv[1], "help") == 0;
    char *program = argc > 0 ? argv[0] : NULL;
    *options = (struct options){
        .telemetry_path = "/metrics",
        .timeout_offset_ns = 250 * NS_PER_MS,
        .log_level = LOG_LEVEL_INFO,
        .log_format = LOG_FORMAT_LOGFMT,
        .probe = {.count = 5, .interval_ns = NS_PER_S, .timeout_ns = 5 * NS_PER_S},
        .doctor = {.look = {.interval_ns = 2 * NS_PER_S, .timeout_ns = 5 * NS_PER_S}, .for_ns = 30 * NS_PER_S},
        .explain = {.top = 10, .line_limit = 65536}};
    if (help) {
        argv++;
        argc--;
    }
    if (argc > 1 && argv[1][0] != '-') {
        sub = find_subcommand(argv[1]);
        if (!sub)
            return complain("there is no command '%s' (see --help)", argv[1]);
        argv++;
        argc--;
    }
    if (argc > 0)
        argv[0] = program; /* getopt names it in its messages */
    options->subcommand = sub;
    options->command = sub->command;
    int rc = parse_flags(sub, argc, argv, options);
    if (rc < 0)
        return rc;
    if (help)
        options->command = COMMAND_HELP;
    if (options->listen_addresses.count == 0)
        options->listen_addresses = (struct texts_option){{":9704"}, 1};
    const char *wrong = sub->check(options);
    return wrong ? complain("%s", wrong) : 0;
}

/* --- help --- */

void options_help(const struct options *options, FILE *out) {
    const struct subcommand *sub = options->subcommand;
    bool first = sub == &subcommands[0];
    fprintf(out, "%s\nusage: mysqlconn_exporter %s\n", sub->intro, sub->usage);
    for (size_t i = 1; first && i < COUNT_OF(subcommands); i++)
        fprintf(out, "       mysqlconn_exporter %s (see: help %s)\n", subcommands[i].usage, subcommands[i].name);
    fputc('\n', out);
    for (size_t i = 0; i < sub->flag_count; i++) {
        const struct flag *flag = &sub->flags[i];
        char name[64];
        if (!flag->help)
            continue;
        snprintf(name, sizeof name, "--%s%s%s", flag->name, flag->argument ? "=" : "",
                 flag->argument ? flag->argument : "");
        fprintf(out, "  %-*s %s\n", first ? 30 : 20, name, flag->help);
    }
    fprintf(out, "\n%s", sub->outro);
}
