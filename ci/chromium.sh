# shellcheck shell=bash disable=SC2034 # the variable is for those who source this
# To be sourced: where Chromium or Chrome is. CHROMIUM names another one.
chromium=$(command -v "${CHROMIUM:-chromium}" || command -v google-chrome || true)
