#!/bin/sh
# What a WebDriver driver is told to start. chromedriver opens no page when it is given a profile (--user-data-dir), and
# headless_shell opens none by itself under --remote-debugging-port, so the session would wait for a tab for ever.
exec "${0%/*}/headless_shell" "$@" about:blank
