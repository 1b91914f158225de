@echo off
rem Copies fetchd beside this file to Program Files and makes it a service. Run it as an administrator.
rem   install.cmd [FOLDER]      default: %ProgramFiles%\fetchd
setlocal
set "target=%~1"
if "%target%"=="" set "target=%ProgramFiles%\fetchd"

net session >nul 2>&1
if errorlevel 1 (
  echo install.cmd: please run it as an administrator
  exit /b 1
)

if exist "%target%\fetchd.exe" "%target%\fetchd.exe" service stop >nul 2>&1
mkdir "%target%" 2>nul
for %%f in (fetchd.exe fetchd-worker.exe fetchctl.exe fetchd.dll README.md) do (
  copy /y "%~dp0%%f" "%target%\" >nul || exit /b 1
)
"%target%\fetchd.exe" service install || exit /b 1
"%target%\fetchd.exe" service start || exit /b 1
echo fetchd runs. Settings: %ProgramData%\fetchd\fetchd.ini
