# Puts one verified binary, runner-bootstrap.exe, into a folder of Path, and can run it then:
#
#   .\install.ps1 -Version 1.2.3 -ChecksumsSha256 HEX
#   .\install.ps1 -Version 1.2.3 -ChecksumsSha256 HEX install --url https://github.com/OWNER/REPO
#
#   -Version V              that release instead of the latest one           RUNNER_BOOTSTRAP_INSTALL_VERSION
#   -BinDir DIR             where it goes: if not given, Program Files for   RUNNER_BOOTSTRAP_INSTALL_BIN_DIR
#                           administrators, and else a folder of your own
#   -Mirror URL             directory with the files of one release:         RUNNER_BOOTSTRAP_INSTALL_MIRROR
#                           https:, file:, or http: on loopback
#   -Sha256 HEX             what the archive must have; checksums.txt is     RUNNER_BOOTSTRAP_INSTALL_SHA256
#                           not asked then
#   -ChecksumsSha256 HEX    what checksums.txt must have: it pins all files  RUNNER_BOOTSTRAP_INSTALL_CHECKSUMS_SHA256
#   -NoPath                 Path stays as it is                              RUNNER_BOOTSTRAP_INSTALL_NO_PATH=1
#
# What stands behind these is a command for the program, which is run at the end. A secret has no place there: give a file.
# Proxies are those of Windows, or else https_proxy and no_proxy. It runs in Windows PowerShell 5.1 and in PowerShell 7.
#
# Exit codes, where it is run from a file: 0 done, or already so; 2 usage; 3 this host; 5 network; 6 not what was promised; those
# of the command. From iex it throws, as exit would close the caller's window. All is functions, and the call is a block on the
# last line: a script that arrives truncated is no script, and does nothing.

function Stop-Installation([int]$Code, [string]$Text) {
    $problem = New-Object System.InvalidOperationException $Text
    $problem.Data['code'] = $Code
    throw $problem
}

function Assert-Host {
    if ($env:OS -ne 'Windows_NT') {
        Stop-Installation 3 'this script is for Windows; install.sh is for Linux and macOS'
    }
    $version = $PSVersionTable.PSVersion
    if ($version.Major -lt 5 -or ($version.Major -eq 5 -and $version.Minor -lt 1)) {
        Stop-Installation 3 "PowerShell is $version here: 5.1 is needed, or the package runner-bootstrap_windows_amd64.msi"
    }
    if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
        Stop-Installation 3 'a policy of this host restricts PowerShell: use the package runner-bootstrap_windows_amd64.msi'
    }
}

function Test-Elevated {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    return (New-Object Security.Principal.WindowsPrincipal $identity).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

# Windows PowerShell knows the proxy of Windows alone, and offers it nobody's name; 7 knows the variables as well.
function Get-ProxyOption([string]$Address) {
    if ($PSVersionTable.PSVersion.Major -ge 6) {
        return @{}
    }
    if ([Net.WebRequest]::DefaultWebProxy) {
        [Net.WebRequest]::DefaultWebProxy.Credentials = [Net.CredentialCache]::DefaultCredentials
    }
    $name = ([Uri]$Address).Host
    foreach ($direct in "$env:NO_PROXY" -split ',') {
        $suffix = $direct.Trim().TrimStart('*').TrimStart('.')
        if ($direct.Trim() -eq '*' -or ($suffix -and ($name -eq $suffix -or $name -like "*.$suffix"))) {
            return @{}
        }
    }
    if (-not $env:HTTPS_PROXY -or ([Uri]$Address).IsLoopback) {
        return @{}
    }
    $proxy = [Uri]$(if ($env:HTTPS_PROXY -like '*://*') { $env:HTTPS_PROXY } else { "http://$env:HTTPS_PROXY" })
    $option = @{ Proxy = $proxy.GetComponents([UriComponents]::SchemeAndServer, [UriFormat]::UriEscaped) }
    if ($proxy.UserInfo) {
        $user, $word = $proxy.UserInfo -split ':', 2 | ForEach-Object { [Uri]::UnescapeDataString($_) }
        $secret = New-Object Security.SecureString
        foreach ($character in "$word".ToCharArray()) { $secret.AppendChar($character) }
        $option.ProxyCredential = New-Object Management.Automation.PSCredential $user, $secret
    } else {
        $option.ProxyUseDefaultCredentials = $true
    }
    return $option
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
    $option = Get-ProxyOption $Base
    for ($attempt = 1; ; $attempt++) {
        try {
            $answer = Invoke-WebRequest -UseBasicParsing -Uri "$Base/$Name" -OutFile $file -PassThru -TimeoutSec 300 @option
            break
        } catch {
            if ($attempt -gt 3 -or $_.Exception.Message -match '\(40[1347]\)|\b40[1347]\b') {
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

function Get-Digest([IO.Stream]$Stream) {
    $algorithm = [Security.Cryptography.SHA256]::Create()
    try {
        return [BitConverter]::ToString($algorithm.ComputeHash($Stream)).Replace('-', '')
    } finally {
        $algorithm.Dispose()
    }
}

function Get-FileDigest([string]$File) {
    $stream = [IO.File]::Open($File, 'Open', 'Read', 'Read')
    try {
        return Get-Digest $stream
    } finally {
        $stream.Dispose()
    }
}

function Get-PromisedDigest([string]$Base, [string]$Archive, [string]$Folder, [string]$Pinned) {
    $list = Get-ReleaseFile $Base 'checksums.txt' $Folder
    $bytes = [IO.File]::ReadAllBytes($list)
    if ($Pinned) {
        $stream = New-Object IO.MemoryStream (, $bytes)
        $actual = Get-Digest $stream
        if ($actual -ne $Pinned) {
            Stop-Installation 6 "$Base/checksums.txt has SHA-256 $actual, not ${Pinned}: it is not what was promised"
        }
    }
    foreach ($line in [Text.Encoding]::UTF8.GetString($bytes) -split '\r?\n') {
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

# A process of 32 bits is led to the folder of such programs, but for the second variable.
function Get-DefaultFolder {
    if (Test-Elevated) {
        $programs = if ($env:ProgramW6432) { $env:ProgramW6432 } else { $env:ProgramFiles }
        return Join-Path $programs 'runner-bootstrap'
    }
    return Join-Path $env:LOCALAPPDATA 'Programs\runner-bootstrap'
}

# What the machine is: the variables of a process only say what that one is.
function Get-HostArchive {
    $machine = (Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Environment').PROCESSOR_ARCHITECTURE
    switch ($machine) {
        'AMD64' { return 'runner-bootstrap_windows_amd64.zip' }
        'ARM64' { return 'runner-bootstrap_windows_arm64.zip' }
    }
    Stop-Installation 3 "there is no archive for Windows on ${machine}: archives are there for amd64 and arm64"
}

# The archive is verified and unpacked while nobody can change it, and the program goes beside its place at once.
function Expand-Program([string]$File, [string]$Expected, [string]$Source, [string]$Beside) {
    Add-Type -AssemblyName System.IO.Compression
    $stream = [IO.File]::Open($File, 'Open', 'Read', 'Read')
    try {
        $actual = Get-Digest $stream
        if ($actual -ne $Expected) {
            Stop-Installation 6 "$Source has SHA-256 $actual, not ${Expected}: it is not what was promised"
        }
        $stream.Position = 0
        try {
            $archive = New-Object IO.Compression.ZipArchive $stream
        } catch {
            Stop-Installation 6 "$Source is no archive: $($_.Exception.Message)"
        }
        $entry = $archive.GetEntry('runner-bootstrap.exe')
        if (-not $entry) {
            Stop-Installation 6 "$Source does not hold runner-bootstrap.exe"
        }
        $from = $entry.Open()
        $to = [IO.File]::Open($Beside, 'CreateNew', 'Write', 'None')
        try {
            $from.CopyTo($to)
        } finally {
            $to.Dispose()
            $from.Dispose()
        }
    } finally {
        $stream.Dispose()
    }
}

# There is never half a program in its place. One that runs cannot be written over, but moved away: what runs goes on.
function Move-IntoPlace([string]$Beside, [string]$Target) {
    $old = "$Target.old-$([Guid]::NewGuid()).exe"
    $replaces = Test-Path -LiteralPath $Target
    if ($replaces) {
        [IO.File]::Move($Target, $old)
    }
    try {
        [IO.File]::Move($Beside, $Target)
    } catch {
        if ($replaces) { [IO.File]::Move($old, $Target) }
        throw
    }
}

function Set-Program([string]$File, [string]$Expected, [string]$Source, [string]$Target, [string]$Version) {
    $beside = "$Target.new-$([Guid]::NewGuid()).exe"
    $folder = Split-Path $Target
    try {
        New-Item -ItemType Directory -Force -Path $folder | Out-Null
        Expand-Program $File $Expected $Source $beside
        if ((Test-Path -LiteralPath $Target) -and (Get-FileDigest $Target) -eq (Get-FileDigest $beside)) {
            return "$Target is already there: $(& $Target version)"
        }
        $words = & $beside version
        if ($LASTEXITCODE -ne 0) {
            Stop-Installation 3 'the program does not run on this host'
        }
        $got = ("$words" -split ' ')[1] -replace '^v', ''
        if ($Version -and $got -cne $Version) {
            Stop-Installation 6 "$Source holds version $got, not $Version"
        }
        Move-IntoPlace $beside $Target
        return "${Target}: $words"
    } catch [UnauthorizedAccessException], [IO.IOException] {
        $hint = if (Test-Elevated) { 'is another program at it?' } else { 'you may need PowerShell run as administrator, or -BinDir' }
        Stop-Installation 3 "${Target}: $($_.Exception.Message) ($hint)"
    } catch [Management.Automation.ApplicationFailedException] {
        Stop-Installation 3 "the program does not run on this host: $($_.Exception.Message)"
    } finally {
        Remove-Item -LiteralPath $beside -Force -ErrorAction SilentlyContinue
        # Also those that earlier runs had to leave, since they were running.
        foreach ($old in @(Get-ChildItem -LiteralPath $folder -Filter 'runner-bootstrap.exe.old-*.exe' -ErrorAction SilentlyContinue)) {
            Remove-Item -LiteralPath $old.FullName -Force -ErrorAction SilentlyContinue
        }
    }
}

# Path is changed where it is kept, without what its variables stand for; setting another variable tells running programs.
function Add-ToPath([string]$Folder) {
    $key = [Microsoft.Win32.Registry]::CurrentUser
    $name = 'Environment'
    $scope = 'User'
    if (Test-Elevated) {
        $key = [Microsoft.Win32.Registry]::LocalMachine
        $name = 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
        $scope = 'Machine'
    }
    $variables = $key.OpenSubKey($name, $true)
    try {
        $path = "$($variables.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames))"
        $there = $path -split ';' | ForEach-Object { [Environment]::ExpandEnvironmentVariables($_).TrimEnd('\') }
        if ($there -notcontains $Folder) {
            $variables.SetValue('Path', "$($path.TrimEnd(';'));$Folder".TrimStart(';'), [Microsoft.Win32.RegistryValueKind]::ExpandString)
            [Environment]::SetEnvironmentVariable('RUNNER_BOOTSTRAP_INSTALL_DONE', $null, $scope)
            Write-Output "$Folder is in Path now, for programs that start from now on"
        }
    } finally {
        $variables.Dispose()
    }
    if (($env:Path -split ';' | ForEach-Object { $_.TrimEnd('\') }) -notcontains $Folder) {
        $env:Path = "$($env:Path.TrimEnd(';'));$Folder"
    }
}

function Install-RunnerBootstrap {
    # Words without an option before them are the command, and none of them is taken for an option's value.
    [CmdletBinding(PositionalBinding = $false)]
    param(
        [string]$Version = $env:RUNNER_BOOTSTRAP_INSTALL_VERSION,
        [string]$BinDir = $env:RUNNER_BOOTSTRAP_INSTALL_BIN_DIR,
        [string]$Mirror = $env:RUNNER_BOOTSTRAP_INSTALL_MIRROR,
        [string]$Sha256 = $env:RUNNER_BOOTSTRAP_INSTALL_SHA256,
        [string]$ChecksumsSha256 = $env:RUNNER_BOOTSTRAP_INSTALL_CHECKSUMS_SHA256,
        [switch]$NoPath,
        [Parameter(ValueFromRemainingArguments = $true)][string[]]$Command
    )
    Set-StrictMode -Version 2.0
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue' # the bar makes Windows PowerShell many times slower
    $temporary = $null
    try {
        Assert-Host
        [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        $Version = $Version -replace '^v', ''
        if ($Version -and $Version -notmatch '^[0-9][0-9A-Za-z.+-]*$') { Stop-Installation 2 "`"$Version`" is no version" }
        foreach ($digest in $Sha256, $ChecksumsSha256) {
            if ($digest -and $digest -notmatch '^[0-9a-fA-F]{64}$') { Stop-Installation 2 "`"$digest`" is no SHA-256" }
        }
        $archive = Get-HostArchive
        $base = Get-ReleaseBase $Version $Mirror
        if (-not $BinDir) { $BinDir = Get-DefaultFolder }
        $BinDir = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($BinDir).TrimEnd('\')
        $target = Join-Path $BinDir 'runner-bootstrap.exe'

        $temporary = Join-Path ([IO.Path]::GetTempPath()) "runner-bootstrap-$([Guid]::NewGuid())"
        New-Item -ItemType Directory -Path $temporary | Out-Null
        $expected = if ($Sha256) { $Sha256 } else { Get-PromisedDigest $base $archive $temporary $ChecksumsSha256 }
        $file = Get-ReleaseFile $base $archive $temporary
        Write-Output (Set-Program $file $expected "$base/$archive" $target $Version)
        if (-not $NoPath -and $env:RUNNER_BOOTSTRAP_INSTALL_NO_PATH -ne '1') { Add-ToPath $BinDir }
        if (-not (Test-Elevated)) {
            Write-Output 'it is yours alone; for a runner that is a service, run this script as administrator'
        }
        if ($Command) {
            & $target @Command
            if ($LASTEXITCODE -ne 0) { Stop-Installation $LASTEXITCODE "runner-bootstrap $($Command[0]) ended with exit code $LASTEXITCODE" }
        }
    } catch {
        $code = $_.Exception.Data['code']
        if (-not $code) { $code = 1 }
        if (-not $PSCommandPath) { throw }
        [Console]::Error.WriteLine("install.ps1: $($_.Exception.Message)")
        exit $code
    } finally {
        if ($temporary) { Remove-Item -LiteralPath $temporary -Recurse -Force -ErrorAction SilentlyContinue }
    }
}

if ($true) { Install-RunnerBootstrap @args }
