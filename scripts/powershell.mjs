// Reads scripts of PowerShell; see powershell.sh, which calls it: PARSER GRAMMAR FILE...
import fs from 'node:fs';

// The parameters of commands that our scripts use, as Windows PowerShell 5.1 documents them; more are added as they are needed.
const known = {
	'Add-Type': 'AssemblyName TypeDefinition',
	'ConvertFrom-Json': '', 'ConvertTo-Json': 'Compress Depth',
	'Compress-Archive': 'DestinationPath Force LiteralPath',
	'Copy-Item': 'Destination Force LiteralPath Recurse',
	'ForEach-Object': '', 'Format-Table': 'AutoSize Wrap', 'Format-List': '',
	'Get-ChildItem': 'Directory ErrorAction File Filter Force LiteralPath Name Path Recurse',
	'Get-Acl': 'LiteralPath', 'Get-CimInstance': 'ClassName ErrorAction Filter', 'Get-Command': 'ErrorAction Name',
	'Get-Content': 'ErrorAction LiteralPath Raw', 'Get-Date': 'Format', 'Get-Item': 'ErrorAction LiteralPath',
	'Get-ItemProperty': 'ErrorAction LiteralPath Name', 'Get-Process': 'ErrorAction Id Name',
	'Get-Service': 'ErrorAction Name', 'Get-WinEvent': 'ErrorAction FilterHashtable MaxEvents',
	'Get-FileHash': 'LiteralPath', 'Get-Location': '', 'Get-MpComputerStatus': '', 'Get-Random': 'Maximum Minimum', 'Get-ScheduledTask': 'ErrorAction TaskName',
	'Invoke-RestMethod': 'Body ContentType Headers Method TimeoutSec Uri UseBasicParsing',
	'Invoke-WebRequest': 'OutFile PassThru Proxy ProxyCredential ProxyUseDefaultCredentials TimeoutSec Uri UseBasicParsing',
	'New-ScheduledTaskAction': 'Argument Execute', 'New-ScheduledTaskSettingsSet': 'AllowStartIfOnBatteries',
	'Register-ScheduledTask': 'Action RunLevel Settings TaskName User', 'Remove-CimInstance': 'InputObject',
	'Start-ScheduledTask': 'TaskName', 'Unregister-ScheduledTask': 'Confirm TaskName',
	'Join-Path': '', 'Measure-Object': 'Maximum Minimum', 'New-Item': 'Force ItemType Path', 'New-Object': 'Property',
	'Out-File': 'Encoding FilePath', 'Out-Null': '', 'Out-String': 'Width', 'Remove-Item': 'ErrorAction Force LiteralPath Recurse',
	'Select-Object': 'ExpandProperty First Last Property', 'Select-String': 'Pattern Quiet SimpleMatch',
	'Set-Content': 'Encoding LiteralPath Value', 'Set-Location': 'LiteralPath', 'Set-StrictMode': 'Version', 'Sort-Object': 'Unique',
	'Split-Path': 'Leaf Parent', 'Start-Process': 'ArgumentList FilePath NoNewWindow PassThru RedirectStandardError RedirectStandardOutput Wait WorkingDirectory',
	'Start-Service': 'Name', 'Start-Sleep': 'Milliseconds Seconds', 'Stop-Process': 'ErrorAction Force Id',
	'Stop-Service': 'ErrorAction Force Name NoWait', 'Test-Path': 'LiteralPath Path PathType', 'Where-Object': '',
	'Write-Output': '', 'Write-Warning': '', 'Write-Verbose': '',
	// Chocolatey gives these to the scripts of its packages.
	'Get-UninstallRegistryKey': 'SoftwareName', 'Install-ChocolateyPackage': '', 'Uninstall-ChocolateyPackage': '',
};
// Programs of Windows, and what clouds put on their images.
const programs = ['icacls', 'msiexec', 'powershell.exe', 'sc.exe', 'shutdown.exe', 'whoami.exe'];
const automatic = ('_ args error executioncontext false home host input lastexitcode matches myinvocation null pid profile ' +
	'psboundparameters pscommandpath pscmdlet psitem psscriptroot psversiontable pwd this true erroractionpreference progresspreference').split(' ');

const [parserFile, grammarFile, ...files] = process.argv.slice(2);
const { Parser, Language } = await import(parserFile);
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(grammarFile));

let findings = 0;
function report(file, node, text) {
	findings++;
	console.log(`${file}:${node.startPosition.row + 1}:${node.startPosition.column + 1}: ${text}`);
}

// walk calls visit with each node below one, and does not go below those for which it returns true.
function walk(node, visit) {
	for (const child of node.children) {
		if (!visit(child)) walk(child, visit);
	}
}

function all(node, ...types) {
	const found = [];
	walk(node, (n) => { if (types.includes(n.type)) found.push(n); });
	return found;
}

// called is the name of a variable, in lower case, or nothing for what is no variable of a script.
function called(node) {
	const name = node.text.replace(/^[$@]\{?|\}$/g, '').toLowerCase();
	return name.includes(':') ? name.replace(/^(script|local|private|using):/, '') : name;
}

// assigned are the names that something below a node sets.
function assigned(node) {
	const names = new Set();
	walk(node, (n) => {
		if (n.type === 'left_assignment_expression' || n.type === 'script_parameter') {
			for (const v of all(n, 'variable', 'braced_variable')) names.add(called(v));
		}
		if (n.type === 'foreach_statement') {
			names.add(called(n.children.find((c) => c.type === 'variable')));
		}
	});
	return names;
}

// functionsOf lists the functions of a script, none of which has another one in it.
function functionsOf(root) {
	return all(root, 'function_statement').map((node) => ({
		node,
		name: node.children.find((c) => c.type === 'function_name').text,
		parameters: all(node, 'script_parameter').map((p) => called(p.children.find((c) => c.type === 'variable'))),
	}));
}

// checkVariables looks at what is outside of functions; a variable of one of these is not read there.
function checkVariables(file, root, functions) {
	const outside = new Set(automatic);
	const sets = all(root, 'left_assignment_expression', 'foreach_statement', 'script_parameter').filter((n) => !functions.some((f) => inside(n, f.node)));
	for (const n of sets) {
		const loop = n.type === 'foreach_statement';
		for (const v of loop ? [n.children.find((c) => c.type === 'variable')] : all(n, 'variable', 'braced_variable')) outside.add(called(v));
	}
	for (const v of all(root, 'variable', 'braced_variable')) {
		const f = functions.find((f) => inside(v, f.node));
		const name = called(v);
		if (name.startsWith('env:') || outside.has(name) || (f && assigned(f.node).has(name))) continue;
		report(file, v, `${f ? f.name : 'the script'} does not set ${v.text}`);
	}
}

function inside(node, outer) {
	return node.startIndex >= outer.startIndex && node.endIndex <= outer.endIndex;
}

function checkCommands(file, root, functions) {
	const used = new Set();
	for (const command of all(root, 'command')) {
		const named = command.children.find((c) => c.type === 'command_name');
		if (!named || command.children.some((c) => c.type === 'command_invokation_operator' || c.type === 'command_invocation_operator')) continue;
		const own = functions.find((f) => f.name.toLowerCase() === named.text.toLowerCase());
		const table = Object.keys(known).find((k) => k.toLowerCase() === named.text.toLowerCase());
		if (own) used.add(own.name);
		if (!own && !table && !programs.includes(named.text.toLowerCase())) {
			report(file, named, `no function here, and not known: ${named.text}`);
			continue;
		}
		if (!own && !table) continue;
		const given = own ? own.parameters : known[table].toLowerCase().split(' ');
		for (const element of command.children) {
			for (const p of all(element, 'command_parameter')) {
				const name = p.text.replace(/^-|:$/g, '').toLowerCase();
				if (nearest(p).id === command.id && !given.includes(name)) report(file, p, `${named.text} has no parameter ${p.text}`);
			}
		}
	}
	for (const f of functions) {
		if (!used.has(f.name)) report(file, f.node, `nothing calls ${f.name}`);
	}
}

// nearest is the command that a parameter is of.
function nearest(node) {
	let at = node.parent;
	while (at.type !== 'command') at = at.parent;
	return at;
}

function checkSyntax(file, root, text) {
	walk(root, (n) => {
		if (n.isError || n.isMissing) {
			report(file, n, `syntax: ${JSON.stringify(n.text.slice(0, 40))}`);
			return true;
		}
		if (n.type === 'pipeline_chain_tail') report(file, n, 'PowerShell 5.1 has no && and ||');
		return false;
	});
	text.split('\n').forEach((line, i) => {
		const at = line.search(/[^\t\r\x20-\x7e]/);
		if (at >= 0) report(file, { startPosition: { row: i, column: at } }, 'PowerShell 5.1 would misread this character');
	});
}

for (const file of files) {
	const text = fs.readFileSync(file, 'utf8');
	const root = parser.parse(text).rootNode;
	const before = findings;
	checkSyntax(file, root, text);
	if (findings > before) continue; // what follows would be noise
	const functions = functionsOf(root);
	checkVariables(file, root, functions);
	checkCommands(file, root, functions);
}
process.exit(findings > 0 ? 1 : 0);
