/* pin.c - `causeway pin FILE`: what an operator writes into peers.*.pins. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "io/pin.h"

int app_command_pin(const char *certificate)
{
    char text[IO_PIN_TEXT];
    io_pin pin;
    FILE *in = fopen(certificate, "re");
    if (!in) {
        fprintf(stderr, "%s: %s\n", certificate, strerror(errno));
        return APP_EXIT_NO;
    }
    X509 *x = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    bool ok = x && io_pin_of(x, &pin);
    X509_free(x);
    ERR_clear_error();
    if (ok)
        printf("%s\n", io_pin_print(&pin, text));
    else
        fprintf(stderr, "%s: no certificate (PEM) in it\n", certificate);
    return ok ? APP_EXIT_OK : APP_EXIT_NO;
}
