"""Lists the next days, as many as the survey's answer says."""

import datetime
import sys

variables = dict(argument.split("=", 1) for argument in sys.argv[1:])
today = datetime.date.today()
for number in range(1, int(variables["days"]) + 1):
    print(f"day {number}: {today + datetime.timedelta(days=number)}")
