#!/bin/sh
# Freezes the caller's environment for the service: .path as it is now, .env only by what it lacks.
[ -e .env ] || : >.env
for name in LANG JAVA_HOME ANT_HOME M2_HOME ANDROID_HOME ANDROID_SDK_ROOT GRADLE_HOME NVM_BIN NVM_PATH \
    LD_LIBRARY_PATH PERL5LIB; do
    eval "value=\${$name-}"
    if [ -n "$value" ] && ! grep -q "^$name=" .env; then
        printf '%s=%s\n' "$name" "$value" >>.env
    fi
done
printf '%s\n' "$PATH" >.path
