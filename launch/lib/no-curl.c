// Takes the place of libcurl in the packaged program.
//
// The web server of `lockstep watch`, FlyingFox, has a proxy that nothing here uses. It needs Foundation's
// URLSession, which needs libcurl, and that needs thirty more libraries, which a bare node lacks. Each
// function of libcurl that URLSession names ends the program, saying so.

#include <stdio.h>
#include <stdlib.h>

#define LACKING(name)                                                                  \
  void name(void) {                                                                    \
    fputs("error: this package of Lockstep is without " #name " of libcurl\n", stderr); \
    abort();                                                                           \
  }

LACKING(curl_easy_cleanup)
LACKING(curl_easy_getinfo)
LACKING(curl_easy_init)
LACKING(curl_easy_pause)
LACKING(curl_easy_setopt)
LACKING(curl_easy_strerror)
LACKING(curl_free)
LACKING(curl_global_init)
LACKING(curl_multi_add_handle)
LACKING(curl_multi_assign)
LACKING(curl_multi_cleanup)
LACKING(curl_multi_info_read)
LACKING(curl_multi_init)
LACKING(curl_multi_remove_handle)
LACKING(curl_multi_setopt)
LACKING(curl_multi_socket_action)
LACKING(curl_slist_append)
LACKING(curl_slist_free_all)
LACKING(curl_url)
LACKING(curl_url_get)
LACKING(curl_url_set)
LACKING(curl_version)
LACKING(curl_version_info)
