/* The XML of a stream: items, canonical form, refusals; always however the bytes are cut. */
#include "xml_check.h"

#define NS_STREAMS "http://etherx.jabber.org/streams"
#define NS_TLS     "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_ERRORS  "urn:ietf:params:xml:ns:xmpp-streams"
#define XML_NS     "http://www.w3.org/XML/1998/namespace"

static void refused(s2s_span text, const char *err)
{
    char want[64];
    snprintf(want, sizeof want, "ERROR %s\n", err);
    check_session(&s2s_xml_limits_open, text, want);
}

static void refused_open(const char *text, const char *err)
{
    char want[64];
    snprintf(want, sizeof want, "ERROR %s\n", err);
    check_open(text, want);
}

/* ---- items ---- */

static void a_session(void **state)
{
    (void)state;
    check_session(
        &s2s_xml_limits_open,
        S2S_LIT("<?xml version='1.0'?>\n"
                "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback'\n"
                " xmlns:stream='" NS_STREAMS "' from=\"a.example\" to='b.example' id='x&amp;y'"
                " version='1.0' xml:lang='en'>"
                "<stream:features><starttls xmlns='" NS_TLS "'><required/></starttls>"
                "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
                "</stream:features>\r\n \t"
                "<db:result from='a.example' to='b.example'>abc<!"
                "[CDATA[d&e]]></db:result>"
                "<message from='u@a.example' to='b.example' type='chat' id='1'><body>hi</body>"
                "</message><presence/>"
                "<stream:error><host-unknown xmlns='" NS_ERRORS "'/>"
                "<text xmlns='" NS_ERRORS "'>no</text></stream:error>"
                "</stream:stream>"),
        "HEAD {" NS_STREAMS "}stream from=a.example to=b.example id=x&y version=1.0 {" XML_NS
        "}lang=en content jabber:server db\n"
        "ELEMENT {" NS_STREAMS "}features text  / {" NS_TLS "}starttls= // {" NS_TLS "}required="
        " / {urn:xmpp:features:dialback}dialback= // {urn:xmpp:features:dialback}errors=\n"
        "ELEMENT {jabber:server:dialback}result from=a.example to=b.example text abcd&e\n"
        "STANZA <message from='u@a.example' to='b.example' type='chat' id='1'><body>hi</body>"
        "</message>\n"
        "STANZA <presence/>\n"
        "ELEMENT {" NS_STREAMS "}error text  / {" NS_ERRORS "}host-unknown= / {" NS_ERRORS
        "}text=no\n"
        "END\n");
}

/* RFC 6120 4.8.5: the streams namespace may be the default one. */
static void a_prefix_free_stream(void **state)
{
    (void)state;
    check_session(&s2s_xml_limits_open,
                  S2S_LIT("<stream xmlns='" NS_STREAMS "' xmlns:xml='" XML_NS "' version='1.0'>"
                          "<features><starttls xmlns='" NS_TLS "'/></features>"
                          "<result xmlns='jabber:server:dialback'>k</result>"
                          "<iq xmlns='jabber:server' type='get' id='1'><query xmlns='q'><a/>"
                          "<features xmlns='" NS_STREAMS "'/></query></iq>"
                          "</stream>"),
                  "HEAD {" NS_STREAMS "}stream version=1.0 content " NS_STREAMS "\n"
                  "ELEMENT {" NS_STREAMS "}features text  / {" NS_TLS "}starttls=\n"
                  "ELEMENT {jabber:server:dialback}result text k\n"
                  "STANZA <iq type='get' id='1'><query xmlns='q'><a/><features xmlns='" NS_STREAMS
                  "'/></query></iq>\n"
                  "END\n");
}

static void an_empty_root(void **state)
{
    (void)state;
    check_session(&s2s_xml_limits_open, S2S_LIT("<s:s xmlns:s='u' a='1'/>"),
                  "HEAD {u}s a=1\nEND\n");
    check_session(&s2s_xml_limits_open, S2S_LIT("\xef\xbb\xbf <s/>junk\xff"), "HEAD s\nEND\n");
}

/* Attack 12: names are told, not judged, here; only {jabber:server} has stanzas. */
static void other_namespaces(void **state)
{
    (void)state;
    check_session(&s2s_xml_limits_open,
                  S2S_LIT("<s:stream xmlns='jabber:client' xmlns:s='wrong'><message>a</message>"
                          "</s:stream>"),
                  "HEAD {wrong}stream content jabber:client\n"
                  "ELEMENT {jabber:client}message text a\n"
                  "END\n");
    check_session(&s2s_xml_limits_open,
                  S2S_LIT("<s:stream xmlns:s='" NS_STREAMS "'><message>a</message>"
                          "<s:message xmlns:s='jabber:server'><s:body>b</s:body><x/></s:message>"
                          "</s:stream>"),
                  "HEAD {" NS_STREAMS "}stream\n"
                  "ELEMENT message text a\n"
                  "STANZA <message><body>b</body><x xmlns=''/></message>\n"
                  "END\n");
}

/* ---- canonical form ---- */

/* What comes in and what is sent on; behind it stands attack 44, 45 or a row of the checklist. */
static const struct {
    const char *in;
    const char *out;
} forms[] = {
    /* quotes, white space in tags, empty elements */
    {"<message  to=\"a\"\n id = 'i'\t><body ></body ></message >",
     "<message to='a' id='i'><body/></message>"},
    {"<message to='a'></message>", "<message to='a'/>"},
    {"<message><a><![CDATA[]]></a></message>", "<message><a/></message>"},
    {"<message> <a/>\n</message>", "<message> <a/>\n</message>"},
    /* escapes (attack 45) */
    {"<message><b>&#x26;&lt;&gt;&quot;&apos;\"'&#x41;</b></message>",
     "<message><b>&amp;&lt;&gt;\"'\"'A</b></message>"},
    {"<message><b>a\r\nb\rc&#13;d&#10;e&#9;f</b></message>",
     "<message><b>a\nb\nc&#xD;d\ne\tf</b></message>"},
    {"<message><b a='&#13;&#10;&#9;\t\n &gt;\"&apos;&lt;&amp;'/></message>",
     "<message><b a='&#xD;&#xA;&#x9;   >\"&apos;&lt;&amp;'/></message>"},
    {"<message><b>]]&gt;]]<![CDATA[>]] >]]></b></message>",
     "<message><b>]]&gt;]]&gt;]] &gt;</b></message>"},
    {"<message><b><![CDATA[<a>&amp;<!-- <?x?> ' ]]]]><![CDATA[>]]></b></message>",
     "<message><b>&lt;a&gt;&amp;amp;&lt;!-- &lt;?x?&gt; ' ]]&gt;</b></message>"},
    {"<message><b>\xef\xbb\xbf\xf0\x9f\x98\x80&#x1F600;\xc2\x80</b></message>",
     "<message><b>\xef\xbb\xbf\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xc2\x80</b></message>"},
    /* xml: needs no declaration */
    {"<message xml:lang='de'><b xml:lang='cs' xml:space='preserve'> </b></message>",
     "<message xml:lang='de'><b xml:lang='cs' xml:space='preserve'> </b></message>"},
    {"<message xmlns:xml='" XML_NS "' xml:base='u'/>", "<message xml:base='u'/>"},
    {"<message><xml:b/></message>", "<message><xml:b/></message>"},
    /* default namespaces */
    {"<message><x xmlns='jabber:x:data'><field><value>1</value></field></x></message>",
     "<message><x xmlns='jabber:x:data'><field><value>1</value></field></x></message>"},
    {"<message xmlns='jabber:server'><body xmlns='jabber:server'>a</body></message>",
     "<message><body>a</body></message>"},
    {"<message><f xmlns='u'><message xmlns='jabber:client'><body/></message><g/></f></message>",
     "<message><f xmlns='u'><message xmlns='jabber:client'><body/></message><g/></f></message>"},
    {"<message><f xmlns='u'><m xmlns='jabber:server'><f xmlns='u'/></m></f><e/></message>",
     "<message><f xmlns='u'><m xmlns='jabber:server'><f xmlns='u'/></m></f><e/></message>"},
    {"<message><a xmlns=''><b/><c xmlns='u'><d xmlns=''/></c></a></message>",
     "<message><a xmlns=''><b/><c xmlns='u'><d xmlns=''/></c></a></message>"},
    {"<message><x xmlns='a&amp;b&apos;c'/></message>",
     "<message><x xmlns='a&amp;b&apos;c'/></message>"},
    /* the stanza's own namespace with a prefix */
    {"<s:message xmlns:s='jabber:server'><s:body/><x xmlns='u'><s:y><z/></s:y></x></s:message>",
     "<message><body/><x xmlns='u'><y xmlns='jabber:server'><z xmlns='u'/></y></x></message>"},
    {"<s:iq xmlns:s='jabber:server' s:a='1' b='2'><s:c s:d='3'/></s:iq>",
     "<iq xmlns:s='jabber:server' s:a='1' b='2'><c s:d='3'/></iq>"},
    /* prefixes: from the header (attack 44), from an ancestor, unused, bound again */
    {"<message><db:x db:y='1'><db:z/></db:x><db:x/></message>",
     "<message><db:x xmlns:db='jabber:server:dialback' db:y='1'><db:z/></db:x>"
     "<db:x xmlns:db='jabber:server:dialback'/></message>"},
    {"<message><stream:x/></message>",
     "<message><stream:x xmlns:stream='" NS_STREAMS "'/></message>"},
    {"<message xmlns:p='u' xmlns:q='v'><p:a/><b><p:a/></b></message>",
     "<message><p:a xmlns:p='u'/><b><p:a xmlns:p='u'/></b></message>"},
    {"<message xmlns:p='u' p:x='1' to='t' z='2'><p:a/></message>",
     "<message to='t' xmlns:p='u' p:x='1' z='2'><p:a/></message>"},
    {"<message><p:a xmlns:p='u'><p:b xmlns:p='v'><p:c xmlns:p='u'/></p:b><p:d/></p:a></message>",
     "<message><p:a xmlns:p='u'><p:b xmlns:p='v'><p:c xmlns:p='u'/></p:b><p:d/></p:a></message>"},
    {"<message><a xmlns:p='u' xmlns:q='u' p:x='1' q:y='2'/></message>",
     "<message><a xmlns:p='u' xmlns:q='u' p:x='1' q:y='2'/></message>"},
    {"<message><p:a xmlns:p='u' xmlns='u' p:x='1' x='2'><b/></p:a></message>",
     "<message><p:a xmlns:p='u' p:x='1' x='2'><b xmlns='u'/></p:a></message>"},
    {"<message><a xmlns='u' xmlns:u='u'><u:b/><b/></a></message>",
     "<message><a xmlns='u'><u:b xmlns:u='u'/><b/></a></message>"},
    /* looks like routing but is not */
    {"<message to='t' p:to='x' xmlns:p='u' lang='l'><to to='y'/></message>",
     "<message to='t' xmlns:p='u' p:to='x' lang='l'><to to='y'/></message>"},
    /* names and texts beyond ASCII */
    {"<message><\xc3\xa9l\xc3\xa9ment \xc3\xa0='\xe2\x82\xac'/></message>",
     "<message><\xc3\xa9l\xc3\xa9ment \xc3\xa0='\xe2\x82\xac'/></message>"},
};

static void canonical_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char want[1024];
        snprintf(want, sizeof want, "STANZA %s\n", forms[i].out);
        check_open(forms[i].in, want);
        /* Canonical of canonical is the same text. */
        check_open(forms[i].out, want);
    }
}

/* ---- refusals ---- */

/* Attack 1: UTF-16 and UTF-32, with and without byte order mark. */
static void attack_1_other_encodings_by_first_bytes(void **state)
{
    (void)state;
    refused(S2S_LIT("\xff\xfe<\0s\0>\0"), "xml_encoding");
    refused(S2S_LIT("\xfe\xff\0<\0s\0>"), "xml_encoding");
    refused(S2S_LIT("<\0s\0>\0"), "xml_encoding");
    refused(S2S_LIT("\0<\0s\0>"), "xml_encoding");
    refused(S2S_LIT("\0\0\xfe\xff"), "xml_encoding");
    refused(S2S_LIT("\xff\xfe\0\0"), "xml_encoding");
    refused(S2S_LIT("\n\0<\0s\0"), "xml_encoding");
    refused(S2S_LIT("\xef\xbb\xbf\xff\xfe<\0"), "xml_encoding");
}

/* Attack 2. */
static void attack_2_declared_encodings(void **state)
{
    (void)state;
    const char *const bad[] = {"ISO-8859-1", "UTF-16", "us-ascii",
                               "utf8",       "UTF-80", "windows-1252"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "<?xml version='1.0' encoding='%s'?><s/>", bad[i]);
        refused(s2s_span_of(text), "xml_encoding");
    }
    const char *const good[] = {"UTF-8", "utf-8", "Utf-8"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "<?xml version='1.0' encoding='%s' standalone='yes'?><s/>",
                 good[i]);
        check_session(&s2s_xml_limits_open, s2s_span_of(text), "HEAD s\nEND\n");
    }
    refused(S2S_LIT("<?xml version='1.0' standalone='no'?><s/>"), "xml_restricted");
}

/* Attack 4. */
static void attack_4_other_versions(void **state)
{
    (void)state;
    refused(S2S_LIT("<?xml version='1.1'?><s/>"), "xml_version");
    refused(S2S_LIT("<?xml version='2.0'?><s/>"), "xml_version");
    refused(S2S_LIT("<?xml version=\"1.1\" encoding='UTF-16'?><s/>"), "xml_version");
    refused(S2S_LIT("<?xml encoding='UTF-8'?><s/>"), "xml_not_well_formed");
    refused(S2S_LIT("<?xml?><s/>"), "xml_not_well_formed");
}

/* Attack 5: refused at the third byte, whatever would have followed. */
static void attack_5_doctype_and_entities(void **state)
{
    (void)state;
    const char *const dtds[] = {
        "<!DOCTYPE s [<!ENTITY a 'x'>]><s>&a;</s>",
        "<!DOCTYPE s [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]><s>&c;</s>",
        "<!DOCTYPE s SYSTEM 'http://127.0.0.1/'><s/>", "<!ENTITY a 'x'>", "<!doctype s><s/>"};
    for (size_t i = 0; i < sizeof dtds / sizeof dtds[0]; i++) {
        char text[256];
        refused(s2s_span_of(dtds[i]), "xml_restricted");
        refused((s2s_span){dtds[i], 3}, "xml_restricted");
        snprintf(text, sizeof text, "<?xml version='1.0'?>\n%s", dtds[i]);
        refused(s2s_span_of(text), "xml_restricted");
        refused_open(dtds[i], "xml_restricted");
    }
}

/* Attack 6: comment, instruction and entity at each depth. */
static void attack_6_restricted_markup(void **state)
{
    (void)state;
    const char *const bad[] = {"<!-- c -->", "<!---->",     "<!--",  "<!- x", "<?pi x?>",
                               "<?pi",       "<?xml-x y?>", "&foo;", "<!x>",  "<![IGNORE[]]>"};
    const char *const places[] = {"%s", "<message>%s", "<message><b>%s", "<x><y>a%s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
            char text[64];
            int n = snprintf(text, sizeof text, places[k], bad[i]);
            assert_true(n > 0 && (size_t)n < sizeof text);
            refused_open(text, "xml_restricted");
        }
        if (bad[i][0] == '<') refused(s2s_span_of(bad[i]), "xml_restricted");
    }
    refused_open("<message a='&foo;'/>", "xml_restricted");
}

/* Attack 7: bytes that are no UTF-8, wherever they stand. */
static void attack_7_bad_utf8(void **state)
{
    (void)state;
    const char *const bad[] = {
        "\xc0\x80", "\xc2 ",        "\xe2\x82 ",        "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xff",     "\xe0\x80\x80", "\xf0\x80\x80\x80", "\x80"};
    const char *const places[] = {"<message><a%sb/></message>",
                                  "<message><a b%sb='c'/></message>",
                                  "<message a='b%sb'/>",
                                  "<message><b>a%sb</b></message>",
                                  "<message><![CDATA[%s]]></message>",
                                  "<%s/>"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
            char text[64];
            int n = snprintf(text, sizeof text, places[k], bad[i]);
            assert_true(n > 0 && (size_t)n < sizeof text);
            refused_open(text, "xml_not_well_formed");
        }
    }
}

/* Attack 8: characters that XML has not. */
static void attack_8_bad_characters(void **state)
{
    (void)state;
    const char *const bad[] = {"\xef\xbf\xbe", "\xef\xbf\xbf", "&#0;", "&#1;", "&#xD800;",
                               "&#xFFFE;",     "&#x110000;",   "&#x;", "&;",   "& ",
                               "\x01",         "\x08",         "\x0b", "\x1f", "&#x1F;"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "<message><b>a%sb</b></message>", bad[i]);
        refused_open(text, "xml_not_well_formed");
        snprintf(text, sizeof text, "<message a='%s'/>", bad[i]);
        refused_open(text, "xml_not_well_formed");
    }
    static const char nul[] = XML_HEAD_TEXT "<message>\0</message>";
    check_session(&s2s_xml_limits_open, (s2s_span){nul, sizeof nul - 1},
                  XML_HEAD_LINE "ERROR xml_not_well_formed\n");
}

/* Attack 10: a second declaration, text between stanzas, "]]>" in text. */
static void attack_10_out_of_place(void **state)
{
    (void)state;
    refused_open("<?xml version='1.0'?>", "xml_not_well_formed");
    refused_open("<message><?xml version='1.0'?></message>", "xml_not_well_formed");
    refused_open("<?xml?>", "xml_not_well_formed");
    refused_open("abc", "xml_text");
    refused_open(" \n abc<message/>", "xml_text");
    refused_open("&#x41;", "xml_text");
    refused_open("<![CDATA[]]>", "xml_text");
    refused_open("\xc3\xa9", "xml_text");
    refused_open("<message>]]></message>", "xml_not_well_formed");
    refused_open("]]>", "xml_not_well_formed");
    refused_open(" \r\n\t\ra]]>", "xml_text");
    refused_open("]]]>", "xml_text");
    check_open("\r\n\t <presence/>\r&#x20;<presence/>\r",
               "STANZA <presence/>\nSTANZA <presence/>\n");
}

/* Attack 11: nothing but white space may stand before the root, and not before the declaration. */
static void attack_11_before_the_root(void **state)
{
    (void)state;
    refused(S2S_LIT(" <?xml version='1.0'?><s/>"), "xml_not_well_formed");
    refused(S2S_LIT("\n<?xml version='1.0'?><s/>"), "xml_not_well_formed");
    refused(S2S_LIT("\xef\xbb\xbf <?xml version='1.0'?>"), "xml_not_well_formed");
    refused(S2S_LIT("\xef\xbb\xbf\xef\xbb\xbf<s/>"), "xml_not_well_formed");
    refused(S2S_LIT("\xef\xbb<s/>"), "xml_not_well_formed");
    refused(S2S_LIT("GET / HTTP/1.1\r\n"), "xml_not_well_formed");
    refused(S2S_LIT("\x16\x03\x01\x02"), "xml_not_well_formed");
    refused(S2S_LIT(" abc"), "xml_not_well_formed");
    refused(S2S_LIT("<?xml version='1.0'?>abc<s/>"), "xml_not_well_formed");
    refused(S2S_LIT("<?xml version='1.0'?>'abc"), "xml_not_well_formed");
    refused(S2S_LIT("<?xml version='1.0'?>&amp;<s/>"), "xml_not_well_formed");
    refused(S2S_LIT("<?xml version='1.0'?><?xml version='1.0'?><s/>"), "xml_not_well_formed");
    check_session(&s2s_xml_limits_open, S2S_LIT("\xef\xbb\xbf<?xml version='1.0'?>\r\n<s/>"),
                  "HEAD s\nEND\n");
}

/* Checklist rows R6120-11.3-a, R6120-11.3-b. */
static void not_well_formed(void **state)
{
    (void)state;
    const char *const bad[] = {"<a></b>",
                               "<a b=1/>",
                               "<a b='1' b='2'/>",
                               "<a b/>",
                               "<a b='<'/>",
                               "<1/>",
                               "< a/>",
                               "</stream>",
                               "</other:stream>",
                               "<p:a/>",
                               "<a p:b='1'/>",
                               "<a xmlns:p=''/>",
                               "<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
                               "<a:b:c xmlns:a='u'/>",
                               "<:a/>",
                               "<a xmlns:xmlns='u'/>",
                               "<a xmlns:xml='u'/>",
                               "<a xmlns:x='" XML_NS "'/>",
                               "<a xmlns='" XML_NS "'/>",
                               "<a xmlns='u\x1fv'/>",
                               "<message><a></message>"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused_open(bad[i], "xml_not_well_formed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session),
        cmocka_unit_test(a_prefix_free_stream),
        cmocka_unit_test(an_empty_root),
        cmocka_unit_test(other_namespaces),
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(attack_1_other_encodings_by_first_bytes),
        cmocka_unit_test(attack_2_declared_encodings),
        cmocka_unit_test(attack_4_other_versions),
        cmocka_unit_test(attack_5_doctype_and_entities),
        cmocka_unit_test(attack_6_restricted_markup),
        cmocka_unit_test(attack_7_bad_utf8),
        cmocka_unit_test(attack_8_bad_characters),
        cmocka_unit_test(attack_10_out_of_place),
        cmocka_unit_test(attack_11_before_the_root),
        cmocka_unit_test(not_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
