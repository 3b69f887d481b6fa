#!/bin/sh
# Runs inside the Debian userland, started by systemd after multi-user.target.
echo "USERLAND-UP $(uname -r) $(systemctl is-system-running 2>/dev/null)"
ok=1
check() { if [ "$2" = "$3" ]; then echo "USERLAND-OK $1"; else echo "USERLAND-BAD $1: got '$2', want '$3'"; ok=0; fi; }

check multi-user "$(systemctl is-active multi-user.target)" active
check python "$(python3 -c 'import hashlib, math, json; print(hashlib.sha256(b"quern").hexdigest()[:8], round(math.sin(1) * 1e6), json.dumps(sum(i*i for i in range(1000))))')" "$(printf '%s' "$(printf quern | sha256sum | cut -c1-8) 841471 332833500")"
cat > /tmp/hello.c <<'C'
#include <stdio.h>
#include <math.h>
int main(void) { double s = 0; for (int i = 1; i < 1000; i++) s += 1.0 / i; printf("hello %.9f\n", s); return 0; }
C
check gcc "$(gcc -O2 -o /tmp/hello /tmp/hello.c && /tmp/hello)" "hello 7.484470861"
check apt "$(apt-get --version | cut -d' ' -f1-2 | head -1)" "apt 2.6.1"
check dpkg "$(dpkg -s gcc | sed -n 's/^Status: //p')" "install ok installed"
[ $ok = 1 ] && echo "USERLAND-ALL-OK"
sync
systemctl poweroff
