#!/bin/bash
# Squid's own decisions beside those of Larder with the imported file: squid_decisions.sh BUILD
exec "$(dirname "$0")/import_squid.py" "$1" --squid
