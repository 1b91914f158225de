/* When the TLS of an FTP data connection begins: with the server's reply to the transfer command (RFC 4217, 7),
 * not before it. libcurl says its ClientHello as soon as the connection stands, and some servers (pyftpdlib)
 * take bytes that come before RETR or STOR for a breach and close. There is no option for that, so the two
 * functions of libcurl that matter go through here, by the linker's --wrap (meson.build): a data connection is
 * made without TLS, and gets it when libcurl waits for it. */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#define CONTROL 0
#define DATA 1           /* FTP alone has a second socket */
#define SSL_DISABLE 0
#define SSL_ENABLE 1

struct Curl_easy;
struct connectdata;
struct Curl_peer;

CURLcode __real_Curl_conn_setup(struct Curl_easy *data, struct connectdata *conn, int8_t sockindex, int ssl_mode);
CURLcode __real_Curl_conn_connect(struct Curl_easy *data, int8_t sockindex, bool blocking, bool *done);
CURLcode __wrap_Curl_conn_setup(struct Curl_easy *data, struct connectdata *conn, int8_t sockindex, int ssl_mode);
CURLcode __wrap_Curl_conn_connect(struct Curl_easy *data, int8_t sockindex, bool blocking, bool *done);

CURLcode Curl_ssl_cfilter_add(struct Curl_easy *data, struct Curl_peer *peer, struct connectdata *conn,
                              int8_t sockindex);
struct Curl_peer *Curl_conn_get_origin(struct connectdata *conn, int8_t sockindex);
bool Curl_conn_is_ssl(struct connectdata *conn, int8_t sockindex);

/* The data connection that still wants TLS. A worker that speaks FTP has one transfer at a time. */
static struct Curl_easy *waiting_for;
static struct connectdata *waiting;

CURLcode __wrap_Curl_conn_setup(struct Curl_easy *data, struct connectdata *conn, int8_t sockindex, int ssl_mode)
{
    if (sockindex == DATA && ssl_mode == SSL_ENABLE) {
        waiting_for = data;
        waiting = conn;
        ssl_mode = SSL_DISABLE;
    } else if (sockindex == DATA) {
        waiting_for = NULL;
    }
    return __real_Curl_conn_setup(data, conn, sockindex, ssl_mode);
}

/* libcurl waits (`blocking`) for the data connection once: after the reply to the transfer command. The peer is
 * that of the control connection, whose TLS session is then resumed. */
CURLcode __wrap_Curl_conn_connect(struct Curl_easy *data, int8_t sockindex, bool blocking, bool *done)
{
    if (sockindex == DATA && blocking && waiting_for == data) {
        waiting_for = NULL;
        CURLcode result = Curl_conn_is_ssl(waiting, DATA)
            ? CURLE_OK : Curl_ssl_cfilter_add(data, Curl_conn_get_origin(waiting, CONTROL), waiting, DATA);
        if (result != CURLE_OK)
            return result;
    }
    return __real_Curl_conn_connect(data, sockindex, blocking, done);
}
