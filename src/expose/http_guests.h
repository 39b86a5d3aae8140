/*
 * Who is connected to the HTTP server: taken from the listening sockets, within limits, and sent away when they are too
 * slow. libmicrohttpd knows only how long a connection said nothing; here each has an absolute deadline for its request
 * and one for taking its answer, and where there are too many, those who keep a place without asking for anything make
 * room for others. With http.c the only user of <microhttpd.h>.
 */
#ifndef EXPOSE_HTTP_GUESTS_H
#define EXPOSE_HTTP_GUESTS_H

#include "expose/http_facts.h"
#include "expose/web.h"
#include "expose/web_auth.h"

#include <microhttpd.h>
#include <uv.h>

/* At most so many, and of one address (IPv6: one network of 64 bits). */
enum { GUESTS_MAX = 512, GUESTS_OF_ONE_ADDRESS_MAX = 256 };

struct guests;
struct guest;

/* `run` lets libmicrohttpd work; it is called when connections were added or are to be closed. Everything is borrowed.
 * NULL when memory is short. */
struct guests *guests_new(uv_loop_t *loop, struct web *web, struct http_facts *facts, void (*run)(void *arg),
                          void *arg);
/* For MHD_OPTION_NOTIFY_CONNECTION, with the guests as its argument. */
void guests_notify(void *guests, struct MHD_Connection *connection, void **guest,
                   enum MHD_ConnectionNotificationCode what);
/* Accept from `fd`, which is taken over, for `daemon`; at the end unlink `remove`, if given. 0 or a negative errno. */
int guests_listen(struct guests *guests, struct MHD_Daemon *daemon, int fd, const char *remove);
/* The i-th listening socket, -1 where there are not as many. */
int guests_socket(const struct guests *guests, size_t i);
/* Begin to accept. */
void guests_welcome(struct guests *guests);
/* Close the listening sockets. Those who are there stay until the daemon stops. */
void guests_stop_listening(struct guests *guests);
/* After the daemon has stopped: free it once the loop has closed its handles. NULL is allowed. */
void guests_free(struct guests *guests);

/* Whether somebody's TLS handshake may be under way. */
bool guests_shake_hands(const struct guests *guests);

/* The guest of a connection between its two notifications; NULL where memory was short. */
struct guest *guest_of(struct MHD_Connection *connection);
/* A request is there with all its headers; its answer is ready; it was sent. */
void guest_asks(struct guest *guest);
void guest_is_answered(struct guest *guest);
void guest_is_served(struct guest *guest);
const struct web_peer *guest_peer(const struct guest *guest);
struct guests *guest_host(const struct guest *guest);
void *guests_owner(const struct guests *guests); /* the `arg` */

#endif
