use utf8;

# Host, role and password come from the stack, by what libpq reads itself: PGSERVICE, PGSERVICEFILE, PGPASSWORD.
Set($DatabaseType, 'Pg');
Set($DatabaseHost, '');
Set($DatabaseName, 'tracker');
Set($DatabaseUser, 'tracker');
Set($DatabasePassword, $ENV{PGPASSWORD});

Set($rtname, 'tracker');
Set($Organization, $ENV{WEB_DOMAIN});
Set($WebDomain, $ENV{WEB_DOMAIN});
Set($WebPort, 443);
Set($WebSecureCookies, 1);
# nginx ends TLS: what RT sees of its own address is a socket.
Set($CanonicalizeRedirectURLs, 1);

Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
# The sandbox of the unit lets no program become another user, as sendmail would.
Set($MailCommand, 'mbox');
Set(%GnuPG, Enable => 0);
Set(%SMIME, Enable => 0);

1;
