/*
 * Accept and Accept-Encoding: the cases of RFC 9110, what Prometheus really sends, and nonsense.
 */
#include "expose/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define OM "application/openmetrics-text"
#define PB "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

static const struct {
    const char *accept;
    enum metric_format format;
} formats[] = {
    {NULL, FORMAT_TEXT},
    {"", FORMAT_TEXT},
    {"*/*", FORMAT_TEXT},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", FORMAT_TEXT}, /* a browser */
    {"text/plain", FORMAT_TEXT},
    {"text/*", FORMAT_TEXT},
    {OM, FORMAT_OPENMETRICS},
    {OM ";version=1.0.0", FORMAT_OPENMETRICS},
    {OM "; Version=\"1.0.0\"; charset=utf-8", FORMAT_OPENMETRICS},
    {OM ";version=2.0.0", FORMAT_TEXT}, /* we have no such thing */
    {"application/*", FORMAT_OPENMETRICS},
    {PB, FORMAT_PROTOBUF},
    {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", FORMAT_TEXT},
    {"application/vnd.google.protobuf;proto=other;encoding=delimited", FORMAT_TEXT},
    /* Prometheus 2.42, without and with native histograms; 3 */
    {OM ";version=1.0.0," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", FORMAT_OPENMETRICS},
    {PB "," OM ";version=1.0.0;q=0.8," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     FORMAT_PROTOBUF},
    {OM ";version=1.0.0;escaping=allow-utf-8;q=0.6," OM ";version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
     FORMAT_OPENMETRICS},
    /* weights */
    {"text/plain;q=0.5, " OM ";q=0.4", FORMAT_TEXT},
    {OM ";q=0.4, text/plain;q=0.5", FORMAT_TEXT},
    {"text/plain;q=0, */*", FORMAT_OPENMETRICS},
    {"text/plain;q=0", FORMAT_TEXT},  /* nothing else is acceptable either */
    {"text/plain, " OM, FORMAT_TEXT}, /* the first of equals */
    {OM ", text/plain", FORMAT_OPENMETRICS},
    {"*/*, " OM, FORMAT_OPENMETRICS},
    {"*/*;q=0.9, " OM ";q=0.1", FORMAT_TEXT},
    {"text/*;q=1, text/plain;q=0.1, " OM ";q=0.5", FORMAT_OPENMETRICS}, /* the most exact range counts */
    {OM ";q=1.5, text/plain;q=0.1", FORMAT_TEXT},
    {OM ";q=x, text/plain;q=0.1", FORMAT_TEXT},
    {OM ";q=0.1, " OM ";version=1.0.0, text/plain;q=0.5", FORMAT_OPENMETRICS}, /* a weight makes nothing more exact */
    {OM ";q=0", FORMAT_TEXT},
    /* quotes hide commas, and other quotes */
    {"x/y;a=\"b," OM ",c\", text/plain;q=0.1", FORMAT_TEXT},
    {"x/y;a=\"\\\"," OM ",\", text/plain;q=0.1", FORMAT_TEXT},
    /* nonsense */
    {",,;;,=,/,;q=1", FORMAT_TEXT},
    {"application/openmetrics-text;version=\"1.0.0", FORMAT_TEXT},
    {"application/openmetrics-textual", FORMAT_TEXT},
    {"application", FORMAT_TEXT},
};

static void accept_chooses_the_format(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (negotiate_format(formats[i].accept) != formats[i].format)
            fail_msg("%s: %d", formats[i].accept, negotiate_format(formats[i].accept));
}

static const struct {
    const char *accept_encoding;
    bool gzip;
} encodings[] = {
    {NULL, false},
    {"", false},
    {"gzip", true},
    {"GZIP", true},
    {"x-gzip", true},
    {"deflate, gzip;q=0.5", true},
    {"gzip;q=0", false},
    {"gzip;q=0.0, *", false},
    {"*", true},
    {"*;q=0", false},
    {"identity", false},
    {"br", false},
    {"gzipped", false},
    {"gzip;q=0.5, identity", false}, /* rather as it is */
    {"gzip, identity", true},
    {"identity;q=0.5, gzip;q=0.8", true},
    {"*;q=0.3, identity;q=0.4", false},
};

static void accept_encoding_chooses_gzip(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++)
        if (negotiate_gzip(encodings[i].accept_encoding) != encodings[i].gzip)
            fail_msg("%s", encodings[i].accept_encoding);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_chooses_the_format),
        cmocka_unit_test(accept_encoding_chooses_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
