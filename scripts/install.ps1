# Puts one verified binary, runner-bootstrap.exe, into a folder, and does nothing else:
#
#   irm https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/install.ps1 -OutFile install.ps1
#   (Get-FileHash install.ps1).Hash   # as the page of the release shows it
#   .\install.ps1 -Version 1.2.3 -BinDir C:\tools -Mirror https://HOST/DIRECTORY -Sha256 HEX
#
# Each option is also a variable: RUNNER_BOOTSTRAP_INSTALL_VERSION, _BIN_DIR, _MIRROR, _SHA256. What a release holds:
# checksums.txt, as sha256sum writes it, and runner-bootstrap_windows_ARCH.zip with runner-bootstrap.exe at its top.
#
# Exit codes, where it is run from a file: 2 usage, 3 this host, 5 network, 6 not what was promised. From iex it throws,
# as exit would close the caller's window. All is functions, and the call is a block on the last line: a script that
# arrives truncated is no script, and does nothing.

function Stop-Installation([int]$Code, [string]$Text) {
    $problem = New-Object System.InvalidOperationException $Text
    $problem.Data['code'] = $Code
    throw $problem
}

function Get-ReleaseFile([string]$Base, [string]$Name, [string]$Folder) {
    $file = Join-Path $Folder $Name
    if ($Base -like 'file:*') {
        try {
            Copy-Item -LiteralPath (Join-Path ([Uri]$Base).LocalPath $Name) -Destination $file
        } catch {
            Stop-Installation 3 "copying $Base/${Name}: $($_.Exception.Message)"
        }
        return $file
    }
    for ($attempt = 1; ; $attempt++) {
        try {
            $answer = Invoke-WebRequest -UseBasicParsing -Uri "$Base/$Name" -OutFile $file -PassThru -TimeoutSec 300
            break
        } catch {
            if ($attempt -gt 3 -or $_.Exception.Message -match '\(40[134]\)|\b40[134]\b') {
                Stop-Installation 5 "fetching $Base/${Name}: $($_.Exception.Message)"
            }
            Start-Sleep -Seconds $attempt
        }
    }
    # Windows PowerShell follows a redirect to plain http; where it ended has another name there than in PowerShell 7.
    $response = $answer.BaseResponse
    $ended = if ($response.PSObject.Properties['ResponseUri']) { $response.ResponseUri } else { $response.RequestMessage.RequestUri }
    if ($Base -like 'https:*' -and $ended.Scheme -ne 'https') {
        Stop-Installation 5 "fetching $Base/${Name}: refused, as it was redirected to plain http"
    }
    return $file
}

function Get-PromisedDigest([string]$Base, [string]$Archive, [string]$Folder) {
    foreach ($line in Get-Content -LiteralPath (Get-ReleaseFile $Base 'checksums.txt' $Folder)) {
        if ($line -match '^([0-9a-fA-F]{64})  (.+)$' -and $Matches[2] -ceq $Archive) {
            return $Matches[1]
        }
    }
    Stop-Installation 6 "$Base/checksums.txt promises nothing about $Archive"
}

function Get-ReleaseBase([string]$Version, [string]$Mirror) {
    $releases = 'https://github.com/runner-bootstrap/runner-bootstrap/releases'
    if ($Mirror) {
        $parsed = $null
        if (-not [Uri]::TryCreate($Mirror, [UriKind]::Absolute, [ref]$parsed)) {
            Stop-Installation 2 "`"$Mirror`" is no mirror: https://HOST/DIRECTORY"
        }
        if ($parsed.Scheme -notin 'https', 'file' -and -not ($parsed.Scheme -eq 'http' -and $parsed.IsLoopback)) {
            Stop-Installation 2 "`"$Mirror`" is refused: https or file, or http on loopback"
        }
        return $Mirror.TrimEnd('/')
    }
    if ($Version) {
        return "$releases/download/v$Version"
    }
    return "$releases/latest/download"
}

function Get-DefaultFolder {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $elevated = (New-Object Security.Principal.WindowsPrincipal $identity).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    if ($elevated) {
        return Join-Path $env:ProgramFiles 'runner-bootstrap'
    }
    return Join-Path $env:LOCALAPPDATA 'Programs\runner-bootstrap'
}

function Get-HostArchive {
    if ($env:OS -ne 'Windows_NT') {
        Stop-Installation 3 'this script is for Windows; install.sh is for Linux and macOS'
    }
    # A 32-bit PowerShell is told of its own kind, and of the host's by the other variable.
    $machine = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
    switch ($machine) {
        'AMD64' { return 'runner-bootstrap_windows_amd64.zip' }
        'ARM64' { return 'runner-bootstrap_windows_arm64.zip' }
    }
    Stop-Installation 3 "there is no archive for Windows on ${machine}: archives are there for amd64 and arm64"
}

# Beside its place first, then renamed, so that there is never half a program.
function Set-Program([string]$Program, [string]$Target, [string]$Version, [string]$Source) {
    $beside = "$Target.new-$PID.exe"
    try {
        New-Item -ItemType Directory -Force -Path (Split-Path $Target) | Out-Null
        Copy-Item -LiteralPath $Program -Destination $beside
        $words = & $beside version
        if ($LASTEXITCODE -ne 0) {
            Stop-Installation 3 'the program does not run on this host'
        }
        $got = ($words -split ' ')[1] -replace '^v', ''
        if ($Version -and $got -cne $Version) {
            Stop-Installation 6 "$Source holds version $got, not $Version"
        }
        if (Test-Path -LiteralPath $Target) {
            [IO.File]::Replace($beside, $Target, [NullString]::Value)
        } else {
            [IO.File]::Move($beside, $Target)
        }
        return "${Target}: $words"
    } catch [UnauthorizedAccessException], [IO.IOException] {
        Stop-Installation 3 "${Target}: $($_.Exception.Message) (is it running? may you write there? -BinDir names another folder)"
    } finally {
        Remove-Item -LiteralPath $beside -Force -ErrorAction SilentlyContinue
    }
}

function Install-RunnerBootstrap {
    param(
        [string]$Version = $env:RUNNER_BOOTSTRAP_INSTALL_VERSION,
        [string]$BinDir = $env:RUNNER_BOOTSTRAP_INSTALL_BIN_DIR,
        [string]$Mirror = $env:RUNNER_BOOTSTRAP_INSTALL_MIRROR,
        [string]$Sha256 = $env:RUNNER_BOOTSTRAP_INSTALL_SHA256
    )
    Set-StrictMode -Version 2.0
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue' # the bar makes Windows PowerShell many times slower
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

    $Version = $Version -replace '^v', ''
    if ($Version -and $Version -notmatch '^[0-9][0-9A-Za-z.+-]*$') { Stop-Installation 2 "`"$Version`" is no version" }
    if ($Sha256 -and $Sha256 -notmatch '^[0-9a-fA-F]{64}$') { Stop-Installation 2 "`"$Sha256`" is no SHA-256" }
    $archive = Get-HostArchive
    $base = Get-ReleaseBase $Version $Mirror
    if (-not $BinDir) { $BinDir = Get-DefaultFolder }
    $BinDir = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($BinDir).TrimEnd('\')
    $target = Join-Path $BinDir 'runner-bootstrap.exe'

    $temporary = Join-Path ([IO.Path]::GetTempPath()) "runner-bootstrap-$([Guid]::NewGuid())"
    try {
        New-Item -ItemType Directory -Path $temporary | Out-Null
        $expected = if ($Sha256) { $Sha256 } else { Get-PromisedDigest $base $archive $temporary }
        $file = Get-ReleaseFile $base $archive $temporary
        $actual = (Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash
        if ($actual -ne $expected) {
            Stop-Installation 6 "$base/$archive has SHA-256 $actual, not ${expected}: it is not what was promised"
        }
        try {
            Expand-Archive -LiteralPath $file -DestinationPath (Join-Path $temporary 'all')
        } catch {
            Stop-Installation 6 "$base/$archive is no archive: $($_.Exception.Message)"
        }
        $program = Join-Path $temporary 'all\runner-bootstrap.exe'
        if (-not (Test-Path -LiteralPath $program -PathType Leaf)) {
            Stop-Installation 6 "$base/$archive does not hold runner-bootstrap.exe"
        }
        if ((Test-Path -LiteralPath $target) -and (Get-FileHash -LiteralPath $target).Hash -eq (Get-FileHash -LiteralPath $program).Hash) {
            Write-Output "$target is already there: $(& $target version)"
        } else {
            Write-Output (Set-Program $program $target $Version "$base/$archive")
        }
        if (($env:Path -split ';') -notcontains $BinDir) {
            Write-Output "$BinDir is not in Path"
        }
    } catch {
        $code = $_.Exception.Data['code']
        if (-not $code) { $code = 1 }
        if (-not $PSCommandPath) { throw }
        [Console]::Error.WriteLine("install.ps1: $($_.Exception.Message)")
        exit $code
    } finally {
        Remove-Item -LiteralPath $temporary -Recurse -Force -ErrorAction SilentlyContinue
    }
}

if ($true) { Install-RunnerBootstrap @args }
