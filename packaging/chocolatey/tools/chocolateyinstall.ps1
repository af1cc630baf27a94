$ErrorActionPreference = 'Stop'

# What the machine is, whatever kind of process this is.
$machine = (Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Environment').PROCESSOR_ARCHITECTURE
$architecture = 'amd64'
$checksum = '@SHA256:runner-bootstrap_windows_amd64.msi@'
if ($machine -eq 'ARM64') {
    $architecture = 'arm64'
    $checksum = '@SHA256:runner-bootstrap_windows_arm64.msi@'
}
$package = @{
    PackageName    = 'runner-bootstrap'
    FileType       = 'msi'
    Url64bit       = "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v@VERSION@/runner-bootstrap_windows_$architecture.msi"
    Checksum64     = $checksum
    ChecksumType64 = 'sha256'
    SilentArgs     = '/qn /norestart'
    ValidExitCodes = @(0, 1641, 3010)
}
Install-ChocolateyPackage @package
