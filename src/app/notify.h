/* notify.h - tells a service manager how far we are (sd_notify(3)'s protocol: one datagram).
 * For:    systemd units of Type=notify, without its library.
 * Never:  waits, or minds when nobody listens.
 * Owner:  nobody.                                                           */
#ifndef APP_NOTIFY_H
#define APP_NOTIFY_H

void app_notify(const char *state); /* "READY=1", "STOPPING=1"; nothing happens without a manager */

#endif
