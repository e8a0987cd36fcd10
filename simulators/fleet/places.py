"""Where the gateways of a simulated city stand: five counties, their streets, a community for each gateway."""

from agent.settings import Gateway, Name

CITY = "610200"
COUNTIES = 5
STREETS = 6
"""In each county."""
MOST = COUNTIES * STREETS * 999


def gateway(number: int) -> Gateway:
    """The gateway of compound `number`, counted from 0; the same number is always the same gateway."""
    in_city, street = divmod(number, COUNTIES * STREETS)
    county, street = divmod(street, STREETS)
    county_code = f"{CITY[:4]}{county + 1:02}"
    street_code = f"{county_code}{street + 1:03}"
    return Gateway(
        id=f"gh-fleet{number:05}",
        city=CITY,
        county=county_code,
        street=street_code,
        community=f"{street_code}{in_city + 1:03}",
        name=Name(zh=f"模拟小区{number + 1}", en=f"Simulated compound {number + 1}"),
    )
