/* tcpinfo.h - the kernel's own count of a TCP connection.
 * For:    bytes the peer's kernel has acknowledged (TCP_INFO). The C library's struct lacks them and cannot stand beside
 *         the kernel's: a file of its own.
 * Never:  keeps anything.
 * Owner:  none.                                                             */
#ifndef IO_TCPINFO_H
#define IO_TCPINFO_H

#include <stdint.h>

/* Counted from the connection's start; who dialled counts the SYN as one, who closed the FIN. After a reset the last value
 * stays. 0: not a TCP socket. */
uint64_t io_tcp_acked(int fd);

#endif
