# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# The console as curl sees it: the page plain and gzipped, asked for again, and what a browser is told about it.

ask "$base/"
that 'the console is at /' test "$status" = 200
that '… as HTML' header 'content-type: text/html; charset=utf-8'
that '… which curl can read' has "$tmp/body" '<!doctype html>'
that '… under a policy with nothing inline' header "content-security-policy: default-src 'none'; script-src 'self'; "
that '… and no unsafe word in it' not header 'content-security-policy: .*unsafe'
cp "$tmp/body" "$tmp/page"
ask --compressed "$base/"
that 'curl --compressed gets it gzipped' header 'content-encoding: gzip'
that '… and it is the same page' cmp "$tmp/page" "$tmp/body"
tag=$(sed -n 's/^etag: \("[^"]*"\).*/\1/ip' "$tmp/head")
ask -H 'Accept-Encoding: gzip' -H "If-None-Match: $tag" "$base/"
that 'with its ETag it is not sent again' test "$status" = 304
that '… not a byte of it' test ! -s "$tmp/body"
ask -I "$base/"
that 'HEAD answers without a body' test "$status" = 200
while read -r file; do
    ask "$base/$file"
    that "$file is there" test "$status" = 200
done < <(sed -n 's|.*="\(console/[a-z]*\.[a-z]*\)".*|\1|p' "$tmp/page")
ask "$base/console/nothing.js"
answers 'what is not, is 404' 404 '.status == "error"'
