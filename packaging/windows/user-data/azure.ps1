# A GitHub Actions runner on a Windows machine of Azure, as custom data, which the custom script extension runs (README.md says
# how). No secret is here, since jobs of the machine could read it: the machine's identity may read the secret RUNNER-TOKEN of the
# vault VAULT, which is an access token that may administer runners. Replace the words in capitals: VERSION is a release, and
# SHA256 what its page shows for checksums.txt.
$version = 'VERSION'
$checksums = 'SHA256'
$env:RUNNER_BOOTSTRAP_URL = 'https://github.com/OWNER'
$env:RUNNER_BOOTSTRAP_NAME = '{instance_id}'
$env:RUNNER_BOOTSTRAP_LABELS = '{zone}'
$env:RUNNER_BOOTSTRAP_METADATA = 'required'
$env:RUNNER_BOOTSTRAP_DEREGISTER_ON_STOP = 'true'
$env:RUNNER_BOOTSTRAP_TOKEN_COMMAND = @'
powershell.exe -NoProfile -NonInteractive -Command "$token = (Invoke-RestMethod -UseBasicParsing -Headers @{ Metadata = 'true' } -Uri 'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net').access_token; (Invoke-RestMethod -UseBasicParsing -Headers @{ Authorization = 'Bearer ' + $token } -Uri 'https://VAULT.vault.azure.net/secrets/RUNNER-TOKEN?api-version=7.4').value"
'@

# Until there is a runner, it is tried again, after pauses that grow.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # the bar makes Windows PowerShell many times slower
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

function Get-Verified([string]$Name, [string]$Digest, [string]$Folder) {
    $file = Join-Path $Folder $Name
    Invoke-WebRequest -UseBasicParsing -Uri "https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v$version/$Name" -OutFile $file
    $algorithm = [Security.Cryptography.SHA256]::Create()
    $actual = [BitConverter]::ToString($algorithm.ComputeHash([IO.File]::ReadAllBytes($file))).Replace('-', '')
    if ($actual -ne $Digest) {
        throw "$Name has SHA-256 $actual, not ${Digest}: it is not what was promised"
    }
    return $file
}

function Install-Package([string]$Name) {
    # Windows keeps this folder for SYSTEM and administrators.
    $folder = Join-Path $env:SystemRoot 'System32\config\systemprofile\runner-bootstrap'
    New-Item -ItemType Directory -Force -Path $folder | Out-Null
    try {
        $list = Get-Verified 'checksums.txt' $checksums $folder
        $line = Get-Content -LiteralPath $list | Where-Object { $_ -match "^([0-9a-f]{64})  $([Regex]::Escape($Name))$" }
        if (-not $line) {
            throw "checksums.txt promises nothing about $Name"
        }
        $package = Get-Verified $Name ("$line" -split ' ')[0] $folder
        $ended = Start-Process -FilePath 'msiexec.exe' -ArgumentList '/i', $package, '/qn', '/norestart' -Wait -PassThru
        if ($ended.ExitCode -notin 0, 3010) {
            throw "msiexec ended with exit code $($ended.ExitCode)"
        }
    } finally {
        Remove-Item -LiteralPath $folder -Recurse -Force -ErrorAction SilentlyContinue
    }
}

$program = Join-Path $env:ProgramFiles 'runner-bootstrap\runner-bootstrap.exe'
$pause = 5
while (-not (Get-Service -Name 'actions.runner.*')) {
    try {
        if (-not (Test-Path -LiteralPath $program)) { Install-Package 'runner-bootstrap_windows_amd64.msi' }
        & $program install --keep-trying
        if ($LASTEXITCODE -eq 0) { break }
        Write-Output "runner-bootstrap install ended with exit code $LASTEXITCODE"
    } catch {
        Write-Output "there is no runner yet: $($_.Exception.Message)"
    }
    Start-Sleep -Seconds $pause
    $pause = [Math]::Min(2 * $pause, 300)
}
