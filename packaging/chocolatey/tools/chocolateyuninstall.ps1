$ErrorActionPreference = 'Stop'

# A runner is never removed silently: it may be at work, and taking it away from GitHub needs a token.
if (Test-Path -Path (Join-Path $env:ProgramData 'runner-bootstrap\state\instances\*\record.json')) {
    Write-Warning ('The runners of this host and their services stay, and will fail at their next start, as the program that they ' +
        'start is removed. To remove them, install this package again, and first run: runner-bootstrap uninstall --all')
}
foreach ($entry in @(Get-UninstallRegistryKey -SoftwareName 'runner-bootstrap')) {
    $package = @{
        PackageName    = 'runner-bootstrap'
        FileType       = 'msi'
        SilentArgs     = "$($entry.PSChildName) /qn /norestart"
        File           = ''
        ValidExitCodes = @(0, 1605, 1614, 1641, 3010)
    }
    Uninstall-ChocolateyPackage @package
}
