@echo off
rem Simulated config.cmd: behaves at its boundary like the one of actions/runner.
setlocal
cd /d "%~dp0"
if /i "%~1"=="remove" (
  bin\Runner.Listener.exe %*
) else (
  bin\Runner.Listener.exe configure %*
)
exit /b %errorlevel%
