@echo off
rem Simulated run.cmd: restarts the helper, and hides nearly every exit code behind 0.
setlocal
:again
copy /y "%~dp0run-helper.cmd.template" "%~dp0run-helper.cmd" >nul
call "%~dp0run-helper.cmd" %*
if %errorlevel% equ 2 (
  echo Restarting runner...
  goto again
)
echo Exiting runner...
exit /b 0
