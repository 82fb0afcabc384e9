#!/bin/sh
# What a WebDriver driver is told to start. chromedriver opens no page when it is given a profile (--user-data-dir), and
# headless_shell opens none by itself under --remote-debugging-port, so the session would wait for a tab for ever.
# chromedriver also switches logging on; without a name the log would grow beside the binary.
for argument in "$@"; do
  case $argument in
    --user-data-dir=*) export CHROME_LOG_FILE="${CHROME_LOG_FILE:-${argument#--user-data-dir=}/chrome.log}" ;;
  esac
done
exec "${0%/*}/headless_shell" "$@" about:blank
