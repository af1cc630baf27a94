# Shows on a real Windows what no other system can show of runner-bootstrap, and prints a table of it:
#
#   .\prove-windows.ps1                    the whole life of a runner, in a few minutes
#   .\prove-windows.ps1 -Restart           prepares the one thing that needs a restart of Windows, and restarts it
#   .\prove-windows.ps1 -AfterRestart      tells what came of it, and tidies up
#
#   -Program FILE   runner-bootstrap.exe; if not given, the one beside this script, or on Path
#   -Folder DIR     has github.exe and listener.exe, a simulated GitHub and its runner; if not given, the folder of this
#                   script, and if they are not there either, they are built by Go from the repository around it
#
# It needs an administrator, no network and no account of GitHub. It runs in Windows PowerShell 5.1 and in PowerShell 7. It
# makes a runner of its own beside those that are there, and leaves nothing. Exit codes: 0 all passed, 1 something did not,
# 2 it could not begin.
param(
    [string]$Program,
    [string]$Folder = $PSScriptRoot,
    [switch]$Restart,
    [switch]$AfterRestart,
    [string]$Probe # for the script itself: what a job of the runner calls it with
)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$place = Join-Path $env:SystemDrive 'runner-bootstrap-prove'
$private = Join-Path $place 'private'
$data = Join-Path $env:ProgramData 'runner-bootstrap'
$results = New-Object Collections.ArrayList
$task = 'runner-bootstrap-prove'

function Add-Result([string]$What, [string]$Result, [string]$Why) {
    [void]$results.Add((New-Object PSObject -Property @{ What = $What; Result = $Result; Why = $Why }))
    [Console]::Error.WriteLine("$($Result.PadRight(6)) $What  $Why")
}

# Each check says why it fails by throwing, and what it saw by what it returns.
function Test-Claim([string]$What, [scriptblock]$Check) {
    try {
        $words = & $Check
        Add-Result $What 'PASS' "$words"
        return $true
    } catch {
        Add-Result $What 'FAIL' $_.Exception.Message
        return $false
    }
}

function Assert-That([bool]$Condition, [string]$Otherwise) {
    if (-not $Condition) { throw $Otherwise }
}

function Wait-For([string]$What, [int]$Seconds, [scriptblock]$Condition) {
    $until = (Get-Date).AddSeconds($Seconds)
    while (-not (& $Condition)) {
        if ((Get-Date) -gt $until) { throw "$What did not come within $Seconds seconds" }
        Start-Sleep -Milliseconds 500
    }
}

# Windows PowerShell takes a line on standard error for an error of its own, if it is to stop at errors.
function Invoke-Program([string[]]$Words, [int]$Code) {
    $ErrorActionPreference = 'Continue'
    $said = (& $Program @Words 2>&1 | ForEach-Object { "$_" }) -join "`n"
    if ($LASTEXITCODE -ne $Code) { throw "runner-bootstrap $($Words[0]) ended with exit code $LASTEXITCODE, not ${Code}: $said" }
    return $said
}

function Invoke-GitHub([string]$Verb, [string]$Path, [string]$Body) {
    $client = New-Object Net.WebClient
    $client.Proxy = $null
    try {
        $text = if ($Verb -eq 'GET') { $client.DownloadString("$control$Path") } else { $client.UploadString("$control$Path", $Body) }
        return ConvertFrom-Json $text
    } finally {
        $client.Dispose()
    }
}

function Start-Work([string]$Script) {
    return (Invoke-GitHub 'POST' "/jobs?runner=$name" $Script).id
}

function Wait-Work([int]$Id, [int]$Seconds) {
    Wait-For "the end of job $Id" $Seconds { (Invoke-GitHub 'GET' "/jobs?id=$Id").conclusion }
    return Invoke-GitHub 'GET' "/jobs?id=$Id"
}

function Wait-Begun([int]$Id) {
    Wait-For "the start of job $Id" 60 { (Invoke-GitHub 'GET' "/jobs?id=$Id").started }
}

function Get-Runner {
    $all = Invoke-GitHub 'GET' '/runners'
    foreach ($runner in $all) {
        if ($runner.name -eq $name) { return $runner }
    }
    return $null
}

function Wait-Online([int]$Seconds) {
    Wait-For "the runner at GitHub" $Seconds { $runner = Get-Runner; $runner -and $runner.status -eq 'online' }
}

function Get-ServiceProcess([string]$Service) {
    return Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Service'"
}

# Attempts of the job's account. "denied" is what nearly all of these should be.
function Get-Attempt([scriptblock]$Action) {
    try {
        [void](& $Action)
        return 'allowed'
    } catch {
        return 'denied'
    }
}

# What a job sees and may do, as one line of JSON. It runs as the account of the jobs.
function Write-Probe([string]$File) {
    $given = ConvertFrom-Json (Get-Content -Raw -LiteralPath $File)
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $mark = "probe-$PID.txt"
    $seen = @{
        user        = $identity.Name
        sid         = $identity.User.Value
        groups      = @($identity.Groups | ForEach-Object { $_.Value })
        privileges  = @(whoami.exe /priv /nh | ForEach-Object { ("$_" -split '\s+')[0] } | Where-Object { $_ -like 'Se*' })
        readState   = Get-Attempt { [IO.Directory]::GetFileSystemEntries($given.state) }
        readToken   = Get-Attempt { [IO.File]::ReadAllText($given.token) }
        writeBin    = Get-Attempt { [IO.File]::WriteAllText((Join-Path $given.runner "bin\$mark"), 'x') }
        writeRoot   = Get-Attempt { [IO.File]::WriteAllText((Join-Path $given.runner $mark), 'x') }
        writeCache  = Get-Attempt { [IO.File]::WriteAllText((Join-Path $given.cache $mark), 'x') }
        writeTool   = Get-Attempt { [IO.File]::WriteAllText((Join-Path (Split-Path -Parent $given.program) $mark), 'x') }
        writeWork   = Get-Attempt { [IO.File]::WriteAllText((Join-Path (Get-Location) $mark), 'x') }
        writeTemp   = Get-Attempt { [IO.File]::WriteAllText((Join-Path $env:TEMP $mark), 'x') }
        stopAgent   = Get-Attempt { Stop-Service -Name $given.service }
        tellAgent   = Get-Attempt { (Get-Service -Name $given.service).ExecuteCommand(131) }
        killAgent   = Get-Attempt { Stop-Process -Id $given.agent -Force }
        temp        = $env:TEMP
        home        = $env:USERPROFILE
    }
    Write-Output "PROBE:$(ConvertTo-Json $seen -Compress)"
}

function Find-Part([string]$File, [string]$Source) {
    $found = Join-Path $Folder $File
    if (Test-Path -LiteralPath $found) { return (Get-Item -LiteralPath $found).FullName }
    $repository = Split-Path -Parent $PSScriptRoot
    if (-not (Get-Command -Name 'go' -ErrorAction SilentlyContinue) -or -not (Test-Path -LiteralPath (Join-Path $repository 'go.mod'))) {
        throw "$File is not in ${Folder}: take all of the archive runner-bootstrap-prove, or a checkout with Go"
    }
    $built = Join-Path $place $File
    Set-Location -LiteralPath $repository
    $ErrorActionPreference = 'Continue'
    $said = (& go build -o $built $Source 2>&1 | ForEach-Object { "$_" }) -join "`n"
    if ($LASTEXITCODE -ne 0) { throw "building ${File}: $said" }
    return $built
}

function Start-GitHub {
    $github = Find-Part 'github.exe' './internal/demo/github'
    $listener = Find-Part 'listener.exe' './internal/githubtest/listener'
    if ($Restart) {
        # As a task it is nobody's session, which a restart ends first.
        $action = New-ScheduledTaskAction -Execute $github -Argument "`"$listener`" `"$private`""
        $settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries
        [void](Register-ScheduledTask -TaskName $task -Action $action -Settings $settings -User 'SYSTEM' -RunLevel Highest)
        Start-ScheduledTask -TaskName $task
    } else {
        [void](Start-Process -FilePath $github -ArgumentList "`"$listener`"", "`"$private`"" -PassThru -NoNewWindow)
    }
    $told = Join-Path $private 'github.json'
    Wait-For 'the simulated GitHub' 60 { Test-Path -LiteralPath $told }
    return ConvertFrom-Json (Get-Content -Raw -LiteralPath $told)
}

# A folder that administrators alone can change. Names of groups differ between languages of Windows, their numbers do not.
function New-ClosedFolder([string]$Path, [string[]]$Readers) {
    [void](New-Item -ItemType Directory -Force -Path $Path)
    [void](icacls $Path /inheritance:r /grant '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' @Readers)
    Assert-That ($LASTEXITCODE -eq 0) "icacls ended with exit code $LASTEXITCODE"
    [void](icacls $Path /setowner '*S-1-5-32-544')
    Assert-That ($LASTEXITCODE -eq 0) "icacls ended with exit code $LASTEXITCODE"
}

function Install-Runner {
    [IO.File]::WriteAllText($tokenFile, $github.token)
    return Invoke-Program @('install', '--url', "$($github.url)/octo-org", '--name', $name, '--token-file', $tokenFile, '--drain-timeout', '2m') 0
}

function Show-Services {
    Test-Claim 'install makes two services' {
        Wait-Online 60
        $agent = Get-ServiceProcess $service
        $jobs = Get-ServiceProcess $hosting
        Assert-That ($agent -and $jobs) "there is no service $service, or no $hosting"
        Assert-That ($agent.StartName -eq 'LocalSystem') "the agent runs as $($agent.StartName)"
        Assert-That ($jobs.StartName -eq "NT SERVICE\$hosting") "jobs run as $($jobs.StartName)"
        Assert-That ($agent.StartMode -eq 'Auto' -and $jobs.StartMode -eq 'Manual') "they start: $($agent.StartMode), $($jobs.StartMode)"
        "$($agent.StartName), $($jobs.StartName)"
    }
    Test-Claim 'Windows is to start the service again after a crash' {
        # As the manager keeps it: five numbers, the fourth of which is how many actions follow, each a kind (1 is a start) and a time.
        $kept = (Get-ItemProperty -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\$service" -Name FailureActions).FailureActions
        $count = [BitConverter]::ToUInt32($kept, 12)
        Assert-That ($count -gt 0) 'no action is kept'
        $times = @()
        for ($i = 0; $i -lt $count; $i++) {
            Assert-That ([BitConverter]::ToUInt32($kept, 20 + 8 * $i) -eq 1) "action $i is no start"
            $times += [BitConverter]::ToUInt32($kept, 24 + 8 * $i)
        }
        "after $($times -join ', ') ms"
    }
    Test-Claim 'the service hears of a shutdown first, and may take its time' {
        $said = (sc.exe query $service) -join ' '
        Assert-That ($said -match 'ACCEPTS_PRESHUTDOWN') $said
        $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$service"
        $time = (Get-ItemProperty -LiteralPath $key -Name PreshutdownTimeout).PreshutdownTimeout
        Assert-That ($time -ge 120000) "it has $time ms, and its jobs 2 minutes"
        "$time ms"
    }
    Test-Claim 'status, list and logs' {
        [void](Invoke-Program @('status', '--name', $name) 0)
        [void](Invoke-Program @('list') 0)
        $said = Invoke-Program @('logs', '--name', $name) 0
        Assert-That ($said.Length -gt 0) 'logs says nothing'
    }
}

# What a job may not do. Each is one row, so that one that fails hides no other.
function Show-Account {
    $settings = Join-Path $place 'probe.json'
    $given = @{
        state = Join-Path $data 'state'; cache = Join-Path $data 'cache'; runner = $runnerFolder; token = $tokenFile
        program = $Program; service = $service; agent = (Get-ServiceProcess $service).ProcessId
    }
    Test-Claim 'the places that a job must not touch are there' {
        foreach ($path in $given.state, $given.cache, $given.token, (Join-Path $given.runner 'bin')) { Assert-That (Test-Path -LiteralPath $path) "there is no $path" }
    }
    [IO.File]::WriteAllText($settings, (ConvertTo-Json $given))
    $script = Join-Path $place 'prove-windows.ps1'
    Copy-Item -LiteralPath $PSCommandPath -Destination $script -Force
    $work = Wait-Work (Start-Work "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File $script -Probe $settings") 120
    $line = @($work.output -split "`r?`n" | Where-Object { $_ -like 'PROBE:*' })
    $told = Test-Claim 'a job of PowerShell runs, and tells what it is' {
        Assert-That ($work.conclusion -eq 'succeeded' -and $line.Count -eq 1) "the job $($work.conclusion): $($work.output)"
    }
    if (-not $told) { return }
    $seen = ConvertFrom-Json $line[0].Substring(6)
    Test-Claim 'jobs run as the virtual account' {
        Assert-That ($seen.user -eq "NT SERVICE\$hosting" -and $seen.sid -like 'S-1-5-80-*') "they run as $($seen.user), $($seen.sid)"
        "$($seen.user), home $($seen.home)"
    }
    Test-Claim 'jobs are no administrator and not the system' {
        foreach ($group in 'S-1-5-32-544', 'S-1-5-18') { Assert-That ($seen.groups -notcontains $group) "they are in $group" }
    }
    Test-Claim 'jobs have no right that leads to others' {
        $strong = 'SeAssignPrimaryTokenPrivilege', 'SeBackupPrivilege', 'SeCreateTokenPrivilege', 'SeDebugPrivilege', 'SeImpersonatePrivilege',
            'SeLoadDriverPrivilege', 'SeRestorePrivilege', 'SeTakeOwnershipPrivilege', 'SeTcbPrivilege'
        $has = @($seen.privileges | Where-Object { $strong -contains $_ })
        Assert-That ($has.Count -eq 0) "they have $($has -join ', ')"
        $seen.privileges -join ', '
    }
    foreach ($claim in @(
            @('readState', 'denied', 'a job cannot read the state'), @('readToken', 'denied', 'a job cannot read the token'),
            @('writeBin', 'denied', 'a job cannot write to the program of its runner'), @('writeCache', 'denied', 'a job cannot write to the cache'),
            @('writeTool', 'denied', 'a job cannot write where runner-bootstrap is'), @('stopAgent', 'denied', 'a job cannot stop the service of its agent'),
            @('tellAgent', 'denied', 'a job cannot give its agent orders'), @('killAgent', 'denied', 'a job cannot end its agent'), @('writeWork', 'allowed', 'a job can write to its work folder'),
            @('writeTemp', 'allowed', 'a job can write to its TEMP'))) {
        Test-Claim $claim[2] { Assert-That ($seen.($claim[0]) -eq $claim[1]) "it was $($seen.($claim[0]))" }
    }
    Add-Result 'whether a job can write into the folder of its runner' 'INFO' $seen.writeRoot
}

# A job that takes some time, without quotes and without a console.
function Start-Nap([int]$Seconds) {
    $id = Start-Work "ping -n $($Seconds + 1) 127.0.0.1 >nul"
    Wait-Begun $id
    return $id
}

function Show-Stop {
    Test-Claim 'a stop of the service lets the running job finish' {
        $id = Start-Nap 15
        Stop-Service -Name $service -NoWait
        $work = Wait-Work $id 60
        Assert-That ($work.conclusion -eq 'succeeded') "the job $($work.conclusion)"
        Wait-For 'the end of both services' 60 { (Get-Service -Name $service).Status -eq 'Stopped' -and (Get-Service -Name $hosting).Status -eq 'Stopped' }
        Start-Service -Name $service
        Wait-Online 60
    }
    Test-Claim 'drain takes no other job, and restart takes it' {
        $id = Start-Nap 10
        [void](Invoke-Program @('drain', '--name', $name) 0)
        $work = Wait-Work $id 60
        Assert-That ($work.conclusion -eq 'succeeded') "the job $($work.conclusion)"
        $next = Start-Work 'ver'
        Start-Sleep -Seconds 3
        Assert-That (-not (Invoke-GitHub 'GET' "/jobs?id=$next").started) 'a drained runner took a job'
        [void](Invoke-Program @('restart', '--name', $name) 0)
        $work = Wait-Work $next 60
        Assert-That ($work.conclusion -eq 'succeeded') "the job $($work.conclusion)"
    }
}

function Show-Crash {
    foreach ($victim in $service, $hosting) {
        Test-Claim "after $victim is killed there is one runner again, without a hand" {
            $before = Get-ServiceProcess $victim
            Assert-That ($before.ProcessId -gt 0) "$victim does not run"
            Stop-Process -Id $before.ProcessId -Force
            Wait-For 'another process' 120 { $now = Get-ServiceProcess $victim; $now.ProcessId -gt 0 -and $now.ProcessId -ne $before.ProcessId }
            Wait-Online 60
            $work = Wait-Work (Start-Work 'ver') 60
            Assert-That ($work.conclusion -eq 'succeeded') "a job then $($work.conclusion)"
            $listeners = @(Get-CimInstance -ClassName Win32_Process -Filter "Name = 'Runner.Listener.exe'" | Where-Object { "$($_.ExecutablePath)" -like "$runnerFolder\*" })
            Assert-That ($listeners.Count -eq 1) "$($listeners.Count) listeners run"
        }
    }
    Test-Claim 'what a job leaves running ends with its runner at the latest' {
        $mark = Get-Random -Minimum 100000 -Maximum 999999
        $leave = "powershell.exe -NoProfile -NonInteractive -Command Start-Process ping.exe -WindowStyle Hidden -ArgumentList '-n','$mark','127.0.0.1'"
        $work = Wait-Work (Start-Work $leave) 60
        Assert-That ($work.conclusion -eq 'succeeded') "the job $($work.conclusion): $($work.output)"
        Stop-Service -Name $service
        $left = @(Get-CimInstance -ClassName Win32_Process -Filter "Name = 'PING.EXE'" | Where-Object { "$($_.CommandLine)" -like "*$mark*" })
        foreach ($process in $left) { Stop-Process -Id $process.ProcessId -Force }
        Start-Service -Name $service
        Assert-That ($left.Count -eq 0) "$($left.Count) processes of it ran on"
        Wait-Online 60
    }
}

# Virus scanners, indexers and backups have files open for a moment. Windows removes none of these meanwhile.
function Show-Removal {
    Test-Claim 'uninstall waits for a file that another program has open for a while' {
        $file = Join-Path $runnerFolder '_work\held.txt'
        [IO.File]::WriteAllText($file, 'x')
        Stop-Service -Name $service
        Wait-For 'the end of both services' 60 { (Get-Service -Name $hosting).Status -eq 'Stopped' }
        $open = [IO.File]::Open($file, 'Open', 'Read', 'None')
        try {
            $out = Join-Path $private 'uninstall.txt'
            $running = Start-Process -FilePath $Program -ArgumentList 'uninstall', '--name', $name, '--token-file', $tokenFile -PassThru -NoNewWindow -RedirectStandardError $out -RedirectStandardOutput "$out.2"
            [void]$running.Handle # or its exit code is lost
            # Then it removes files, and waits for one at least two seconds.
            Wait-For 'the end of the runner at GitHub' 60 { $running.HasExited -or -not (Get-Runner) }
            Start-Sleep -Milliseconds 700
            Assert-That (-not $running.HasExited) 'it ended while the file was open'
        } finally {
            $open.Dispose()
        }
        $running.WaitForExit()
        Assert-That ($running.ExitCode -eq 0) "exit code $($running.ExitCode): $(Get-Content -Raw -LiteralPath $out)"
    }
    Test-Claim 'nothing is left of the runner' {
        $left = @()
        if (Test-Path -LiteralPath $runnerFolder) { $left += $runnerFolder }
        if (Get-Service -Name "$service*") { $left += 'a service' }
        if (Get-Runner) { $left += 'the runner at GitHub' }
        $left += @(Get-Profile | ForEach-Object { $_.LocalPath })
        Assert-That ($left.Count -eq 0) "left are $($left -join ', ')"
    }
}

# The profile that Windows has made for the virtual account, whose number follows from its name.
function Get-Profile {
    $number = [regex]::Match((sc.exe showsid $hosting) -join ' ', 'S-1-5-80[-0-9]+').Value
    return Get-CimInstance -ClassName Win32_UserProfile | Where-Object { $number -and $_.SID -eq $number }
}

# install.ps1 by each PowerShell that is here, from a release that is made for it.
function Show-Installer {
    $installer = Join-Path $PSScriptRoot 'install.ps1'
    if (-not (Test-Path -LiteralPath $installer)) {
        Add-Result 'install.ps1' 'INFO' 'it is not beside this script, and was not tried'
        return
    }
    $release = Join-Path $place 'release'
    [void](New-Item -ItemType Directory -Force -Path $release)
    Copy-Item -LiteralPath $Program -Destination (Join-Path $release 'runner-bootstrap.exe') -Force
    $lines = @()
    foreach ($architecture in 'amd64', 'arm64') {
        $zip = Join-Path $release "runner-bootstrap_windows_$architecture.zip"
        Compress-Archive -LiteralPath (Join-Path $release 'runner-bootstrap.exe') -DestinationPath $zip -Force
        $lines += "$((Get-FileHash -LiteralPath $zip).Hash.ToLower())  runner-bootstrap_windows_$architecture.zip"
    }
    [IO.File]::WriteAllText((Join-Path $release 'checksums.txt'), "$($lines -join "`n")`n")
    $pin = (Get-FileHash -LiteralPath (Join-Path $release 'checksums.txt')).Hash
    $mirror = ([Uri]$release).AbsoluteUri
    foreach ($shell in 'powershell.exe', 'pwsh.exe') {
        if (-not (Get-Command -Name $shell -ErrorAction SilentlyContinue)) {
            Add-Result "install.ps1 by $shell" 'INFO' 'it is not on this host'
            continue
        }
        Test-Claim "install.ps1 by $shell installs, and a second time does nothing" {
            $bin = Join-Path $place "bin of $shell"
            $first = Invoke-Installer $shell $installer @('-Mirror', $mirror, '-ChecksumsSha256', $pin, '-BinDir', $bin, '-NoPath') 0
            Assert-That (Test-Path -LiteralPath (Join-Path $bin 'runner-bootstrap.exe')) $first
            $second = Invoke-Installer $shell $installer @('-Mirror', $mirror, '-ChecksumsSha256', $pin, '-BinDir', $bin, '-NoPath', 'version') 0
            Assert-That ($second -match 'is already there') $second
        }
        Test-Claim "install.ps1 by $shell refuses what was not promised" {
            $wrong = '0' * 64
            [void](Invoke-Installer $shell $installer @('-Mirror', $mirror, '-ChecksumsSha256', $wrong, '-BinDir', (Join-Path $place 'none'), '-NoPath') 6)
            [void](Invoke-Installer $shell $installer @('-Mirror', $mirror, '-Sha256', $wrong, '-BinDir', (Join-Path $place 'none'), '-NoPath') 6)
            Assert-That (-not (Test-Path -LiteralPath (Join-Path $place 'none\runner-bootstrap.exe'))) 'and installs it all the same'
        }
    }
}

function Invoke-Installer([string]$Shell, [string]$Installer, [string[]]$Words, [int]$Code) {
    $ErrorActionPreference = 'Continue'
    $said = (& $Shell -NoProfile -NonInteractive -ExecutionPolicy Bypass -File $Installer @Words 2>&1 | ForEach-Object { "$_" }) -join "`n"
    if ($LASTEXITCODE -ne $Code) { throw "exit code $LASTEXITCODE, not ${Code}: $said" }
    return $said
}

function Show-Machine {
    $system = Get-CimInstance -ClassName Win32_OperatingSystem
    Add-Result 'Windows' 'INFO' "$($system.Caption) $($system.Version), $env:PROCESSOR_ARCHITECTURE, PowerShell $($PSVersionTable.PSVersion)"
    Add-Result 'runner-bootstrap' 'INFO' (Invoke-Program @('version') 0)
    $scanner = 'none is known'
    if (Get-Command -Name 'Get-MpComputerStatus' -ErrorAction SilentlyContinue) {
        try {
            $scanner = "Microsoft Defender, in real time: $((Get-MpComputerStatus).RealTimeProtectionEnabled)"
        } catch {
            $scanner = $_.Exception.Message
        }
    }
    Add-Result 'virus scanner' 'INFO' $scanner
}

# A part that breaks off is a row as well, and the others go on.
function Show-Part([scriptblock]$Part) {
    try {
        [void](& $Part)
    } catch {
        Add-Result "$Part".Trim() 'FAIL' "$($_.Exception.Message) ($($_.InvocationInfo.PositionMessage))"
    }
}

# Whatever became of all this, nothing stays.
function Remove-Everything {
    if (Get-Service -Name "$service*") {
        try { [void](Invoke-Program @('uninstall', '--name', $name, '--local', '--force') 0) } catch { Add-Result 'tidying up' 'FAIL' $_.Exception.Message }
    }
    try { [void](Invoke-GitHub 'POST' '/end' '') } catch { Write-Verbose 'it had ended' }
    foreach ($account in @(Get-Profile)) { Remove-CimInstance -InputObject $account }
    if (Get-ScheduledTask -TaskName $task -ErrorAction SilentlyContinue) { Unregister-ScheduledTask -TaskName $task -Confirm:$false }
    if (-not (Test-Path -LiteralPath (Join-Path $place 'data was here'))) { Remove-Item -LiteralPath $data -Recurse -Force -ErrorAction SilentlyContinue }
    if (-not (Test-Path -LiteralPath (Join-Path $place 'runners were here'))) {
        Remove-Item -LiteralPath (Split-Path -Parent $runnerFolder) -Recurse -Force -ErrorAction SilentlyContinue
    }
    Set-Location -LiteralPath $env:SystemRoot
    Start-Sleep -Seconds 2 # for the simulated GitHub to let go of its files
    Remove-Item -LiteralPath $place -Recurse -Force -ErrorAction SilentlyContinue
    if (Test-Path -LiteralPath $place) { Add-Result 'tidying up' 'FAIL' "$place could not be removed" }
}

# The job that runs while Windows shuts down: the simulated GitHub, which is a task, notes how it ended.
function Show-AfterRestart {
    Test-Claim 'a restart of Windows lets the running job finish' {
        $file = Join-Path $private 'job-1.json'
        Assert-That (Test-Path -LiteralPath $file) 'the job did not end before Windows did'
        $work = ConvertFrom-Json (Get-Content -Raw -LiteralPath $file)
        Assert-That ($work.conclusion -eq 'succeeded') "the job $($work.conclusion)"
    }
    Test-Claim 'the service has started with Windows' {
        Wait-For 'the service' 300 { (Get-Service -Name $service).Status -eq 'Running' }
    }
}

function Write-Table {
    Write-Output ($results | Select-Object -Property 'Result', 'What', 'Why' | Format-Table -AutoSize -Wrap | Out-String -Width 160)
    $failed = @($results | Where-Object { $_.Result -eq 'FAIL' }).Count
    Write-Output "$failed failed. Please tell the project what the table says: https://github.com/runner-bootstrap/runner-bootstrap/issues"
    if ($failed -gt 0) { exit 1 }
    exit 0
}

function Stop-Early([string]$Text) {
    [Console]::Error.WriteLine("prove-windows.ps1: $Text")
    exit 2
}

function Assert-Beginning {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    if (-not (New-Object Security.Principal.WindowsPrincipal $identity).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        Stop-Early 'this needs PowerShell that is run as administrator'
    }
    if ((Test-Path -LiteralPath $place) -ne [bool]$AfterRestart) {
        Stop-Early $(if ($AfterRestart) { "there is no $place, which -Restart makes" } else { "$place is there: remove it, or call with -AfterRestart" })
    }
}

if ($Probe) {
    Write-Probe $Probe
    exit 0
}
Assert-Beginning
$Folder = (Get-Item -LiteralPath $Folder).FullName
if ($Program) { $Program = (Get-Item -LiteralPath $Program).FullName }
$name = 'prove'
$service = "actions.runner.octo-org.$name"
$hosting = "$service.host"
$tokenFile = Join-Path $private 'token'
$runnerFolder = Join-Path $env:SystemDrive "actions-runner\$name"
$control = ''
$stays = $false
if (-not $AfterRestart -and ((Get-Service -Name "$service*") -or (Test-Path -LiteralPath $runnerFolder))) {
    Stop-Early "there is a runner $name on this host already"
}
try {
    # The accounts of jobs are among the users, and start the program as well.
    New-ClosedFolder $place @('/grant', '*S-1-5-32-545:(OI)(CI)RX')
    New-ClosedFolder $private @()
    foreach ($kept in @($data, 'data was here'), @((Split-Path -Parent $runnerFolder), 'runners were here')) {
        if (-not $AfterRestart -and (Test-Path -LiteralPath $kept[0])) { [void](New-Item -ItemType Directory -Path (Join-Path $place $kept[1])) }
    }
    if (-not $Program) {
        $onPath = Get-Command -Name 'runner-bootstrap.exe' -ErrorAction SilentlyContinue
        if ($onPath -and -not (Test-Path -LiteralPath (Join-Path $Folder 'runner-bootstrap.exe'))) {
            $Program = $onPath.Path
        } else {
            $Program = Join-Path $place 'tool\runner-bootstrap.exe'
            [void](New-Item -ItemType Directory -Force -Path (Split-Path -Parent $Program))
            if (-not $AfterRestart) { Copy-Item -LiteralPath (Find-Part 'runner-bootstrap.exe' './cmd/runner-bootstrap') -Destination $Program }
        }
    }
    Show-Machine
    if ($AfterRestart) {
        [void](Show-AfterRestart)
    } else {
        $github = Start-GitHub
        $control = $github.control
        $installed = Test-Claim 'install' { Install-Runner | Out-Null }
        if ($Restart) {
            if ($installed) {
                Wait-Online 60
                [void](Start-Nap 40)
                $stays = $true
                [Console]::Error.WriteLine('Windows restarts now. Log on again, and run this script with -AfterRestart.')
                shutdown.exe /r /t 0
                exit 0
            }
        } else {
            if ($installed) {
                foreach ($part in { Show-Services }, { Show-Account }, { Show-Stop }, { Show-Crash }, { Show-Removal }) { Show-Part $part }
            }
            Show-Part { Show-Installer }
        }
    }
} catch {
    Add-Result 'the script itself' 'FAIL' "$($_.Exception.Message) ($($_.InvocationInfo.PositionMessage))"
} finally {
    if (-not $stays) { Remove-Everything }
}
Write-Table
