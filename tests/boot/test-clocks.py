#!/usr/bin/env python3
"""Every clock and timer a PC has carries Linux alone, and all agree with the host's clock.

usage: test-clocks.py QUERN GUEST-FOLDER
"""
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import guest as g   # noqa: E402

SLEEP_S = 3
TOLERANCE_S = 0.6           # a loaded host wakes sleepers late; unit tests look at the frequencies

# Asked before and after a sleep: time since boot by the clock source, and the RTC by its registers.
SCRIPT = f'''
echo CLOCK $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
echo EVENT $(cat /sys/devices/system/clockevents/clockevent0/current_device)
echo T1 $(cut -d" " -f1 /proc/uptime) $(hwclock -r -u | cut -c12-19)
sleep {SLEEP_S}
echo T2 $(cut -d" " -f1 /proc/uptime) $(hwclock -r -u | cut -c12-19)
dmesg | grep -i "MP-BIOS\\|timer doesn.t work\\|BUG:\\|Oops\\|Call Trace\\|soft lockup" && exit 9
true
'''

# name, machine, kernel parameters, clock source, clock event device ('' = not looked at)
CASES = [
    ('TSC and APIC timer', 'q35', 'clocksource=tsc', 'tsc', 'lapic-deadline'),
    ('HPET as clock', 'q35', 'no-kvmclock clocksource=hpet', 'hpet', ''),
    ('ACPI timer as clock', 'pc', 'no-kvmclock clocksource=acpi_pm', 'acpi_pm', ''),
    ('HPET interrupts through the PIC', 'pc', 'nolapic noapic', '', 'hpet'),
    ('PIT interrupts through the PIC', 'q35', 'nolapic noapic hpet=disable', '', 'pit'),
    ('PIT interrupts, no other clock', 'pc', 'nolapic no-kvmclock hpet=disable clocksource=acpi_pm', 'acpi_pm', 'pit'),
]


def seconds(hms):
    h, m, s = hms.split(':')
    return int(h) * 3600 + int(m) * 60 + int(s)


def complaint(r, clock, event):
    """What is wrong with a run; None = nothing."""
    found = dict(re.findall(r'^(CLOCK|EVENT) (\S+)', r.output, re.M))
    times = dict((k, (float(up), seconds(rtc))) for k, up, rtc in re.findall(r'^(T\d) (\S+) (\d+:\d+:\d+)', r.output, re.M))
    if not r.script_ok or len(times) != 2:
        return r.why()
    if clock and found.get('CLOCK') != clock or event and found.get('EVENT') != event:
        return f'# expected {clock} {event}, runs on {found}'
    by_clock, by_rtc = times['T2'][0] - times['T1'][0], (times['T2'][1] - times['T1'][1]) % 86400
    if abs(by_clock - SLEEP_S) > TOLERANCE_S or not SLEEP_S - 1 <= by_rtc <= SLEEP_S + 1:
        return f'# a sleep of {SLEEP_S} s took {by_clock:.2f} s by the clock, {by_rtc} s by the RTC'
    return None


def main():
    emulator, guest = sys.argv[1], Path(sys.argv[2])
    tap = g.Tap()
    for name, machine, append, clock, event in CASES:
        if not g.have_guest(guest):
            tap.skip(name, f'no guest in {guest} (scripts/make-guest)')
            continue
        r = g.run(g.command(emulator, guest, SCRIPT, machine, append=append))
        why = complaint(r, clock, event)
        tap.result(why is None, name, why or '')
    tap.done()


main()
