# Lists the next days, as many as the survey's answer says.
$ErrorActionPreference = 'Stop'

$variables = @{}
foreach ($argument in $args) {
    $name, $value = $argument -split '=', 2
    $variables[$name] = $value
}
$today = Get-Date
$days = [int]$variables['days']
for ($number = 1; $number -le $days; $number++) {
    'day {0}: {1:yyyy-MM-dd}' -f $number, $today.AddDays($number)
}
