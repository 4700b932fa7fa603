/* fedconf.h - settings as fed reads them.
 * For:    one fed_config whose lists live as long as the settings.
 * Never:  decides anything.
 * Owner:  the settings' arena.                                              */
#ifndef APP_FEDCONF_H
#define APP_FEDCONF_H

#include "app/settings.h"

fed_addr app_addr_to_fed(const io_addr *a);
io_addr app_addr_to_io(const fed_addr *a);

/* `own`: every address we listen on, told by whoever bound them; kept. */
void app_fed_config_fill(app_settings *s, const fed_addr *own, size_t n_own, fed_config *out);

#endif
