/*
 * mysqlconn_exporter: from the command line to what it asks for.
 */
#include "base/log.h"
#include "cli/doctor_command.h"
#include "cli/explain_command.h"
#include "cli/options.h"
#include "cli/probe_command.h"
#include "config/config.h"
#include "daemon.h"
#include "explain/advice_rules.h"
#include "explain/cause.h"
#include "explain/driver.h"
#include "expose/api.h"
#include "expose/catalogue.h"
#include "expose/web.h"
#include "observe/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { EXIT_USAGE = 2 };
#define TEXT_MAX (64 * 1024 * 1024)

/* Write what `print` makes to stdout. */
static int print(void (*make)(struct strbuf *out)) {
    struct strbuf out;
    strbuf_init(&out, TEXT_MAX);
    make(&out);
    fputs(strbuf_text(&out), stdout);
    strbuf_release(&out);
    return EXIT_SUCCESS;
}

static int print_config(const struct config *config) {
    struct strbuf out;
    strbuf_init(&out, TEXT_MAX);
    config_print(config, &out);
    fputs(strbuf_text(&out), stdout);
    strbuf_release(&out);
    return EXIT_SUCCESS;
}

static void print_version(void) {
    printf("mysqlconn_exporter %s (%s, libuv %s)\n", VERSION, client_library_name(), uv_version_string());
}

/* The commands that need a configuration. */
static int with_config(const struct options *options) {
    struct strbuf error, warnings;
    strbuf_init(&error, 4096);
    strbuf_init(&warnings, 65536);
    struct config *config = daemon_load_config(options, &error, &warnings);
    fputs(strbuf_text(&warnings), stderr);
    int status = EXIT_SUCCESS;
    if (!config) {
        fprintf(stderr, "%s\n", strbuf_text(&error));
        status = EXIT_USAGE;
    } else if (options->command == COMMAND_PRINT_CONFIG) {
        status = print_config(config);
        config_free(config);
    } else if (options->command == COMMAND_CHECK_CONFIG && options->web_config_file &&
               !web_check(options->web_config_file, &error)) {
        fprintf(stderr, "%s\n", strbuf_text(&error));
        status = EXIT_USAGE;
        config_free(config);
    } else if (options->command == COMMAND_CHECK_CONFIG) {
        printf("%s: ok, %zu target%s\n", options->config_file ? options->config_file : "flags", config->target_count,
               config->target_count == 1 ? "" : "s");
        config_free(config);
    } else {
        status = daemon_run(options, config);
    }
    strbuf_release(&error);
    strbuf_release(&warnings);
    return status;
}

int main(int argc, char **argv) {
    struct options options;
    if (options_parse(argc, argv, &options) < 0)
        return EXIT_USAGE;
    log_configure(options.log_level, options.log_format, stderr);
    if (options.command == COMMAND_HELP) {
        options_help(&options, stdout);
        return EXIT_SUCCESS;
    }
    if (options.command == COMMAND_PRINT_CAUSES)
        return print(cause_reference);
    if (options.command == COMMAND_PRINT_DRIVERS)
        return print(driver_reference);
    if (options.command == COMMAND_PRINT_ADVICE)
        return print(advice_reference);
    if (options.command == COMMAND_PRINT_METRICS)
        return print(catalogue_reference);
    if (options.command == COMMAND_PRINT_AGES)
        return print(knowledge_reference);
    if (options.command == COMMAND_PRINT_API)
        return print(api_reference);
    if (options.command == COMMAND_PRINT_CONFIG_REFERENCE)
        return print(config_reference);
    if (options.command == COMMAND_EXPLAIN)
        return explain_command(&options.explain);
    if (client_library_init() < 0) {
        fprintf(stderr, "mysqlconn_exporter: %s lacks ma_pvio_register_callback, which we need to see the wire\n",
                client_library_name());
        return EXIT_FAILURE;
    }
    int status = EXIT_SUCCESS;
    if (options.command == COMMAND_VERSION)
        print_version();
    else if (options.command == COMMAND_PROBE)
        status = probe_command(&options.probe);
    else if (options.command == COMMAND_DOCTOR)
        status = doctor_command(&options.doctor);
    else
        status = with_config(&options);
    client_library_end();
    return status;
}
