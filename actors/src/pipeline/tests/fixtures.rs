//! Recorded answers of Partner Central, field by field.

use insta::assert_snapshot;

use super::*;

const SPARSE: &str = include_str!("../../../../tests/fixtures/pc_GetOpportunity.json");
const REFERRAL: &str = include_str!("../../../../tests/fixtures/pc_aws_referral_GetOpportunity_Check_Stage.json");
const LEAD: &str = include_str!("../../../../tests/fixtures/pc_lead_GetOpportunity.json");
const LEAD_AFTER: &str = include_str!("../../../../tests/fixtures/pc_lead_GetOpportunity_after.json");

#[test]
fn a_sparse_one() {
    let output = run(&aws(), &[SPARSE]);
    consistent(&output);
    assert_eq!((output.counts.flagged, output.counts.warned), (0, 0));
    assert_snapshot!(shown(&output.entities[0].rows, 0), @r#"
    _address_shard = 5
    _address_offset = 100
    _commit_seq = 0
    _version = 1731612723000000
    _source_key = O1111111
    _key_scope = AWS
    _partition_at = 2024-11-14T19:32:03Z
    _ingested_at = 2026-01-01T00:00:00Z
    _run_id = 00000000-0000-0000-0000-000000000003
    _origin = source
    id = 54c117e8-06f1-596d-85ba-3e222d3c83da
    tenant_id = 00000000-0000-0000-0000-000000000001
    pc_opportunity_id = O1111111
    lifecycle_stage = launched
    customer_company_name = TestCompanyName
    expected_revenue_usd = 6372.00
    close_date = 2029-05-05
    catalog = AWS
    opportunity_type = Net New Business
    outcome = won
    is_closed = true
    review_status = Approved
    partner_solution_ids = []
    aws_products = []
    aws_marketplace_offers = []
    aws_monthly_revenue = 531.00
    aws_monthly_revenue_currency = USD
    expected_spend_amount = 531.00
    currency = USD
    project_title = TestAcessibleStatusApprovedStageLaunched
    customer_business_problem = ProjectDescriptionBusinessNeedLengthGreaterThanFiftyCharacters
    customer_use_case = Database
    sales_activities = [Initialized discussions with customer]
    industry = Non-Profit Organization
    website_url = www.TestCompanyName.com
    postal_code = 45531
    country_code = LT
    primary_needs_from_aws = [Co-Sell - Competitive Information]
    marketing_source = None
    national_security = false
    created_at = 2024-11-14T19:32:03Z
    last_modified_at = 2024-11-14T19:32:03Z
    "#);
    assert_eq!(cell(&output.entities[0].rows, "payload_json", 0), SPARSE);
}

#[test]
fn a_full_one() {
    assert_snapshot!(shown(&run(&aws(), &[REFERRAL]).entities[0].rows, 0), @r#"
    _address_shard = 5
    _address_offset = 100
    _commit_seq = 0
    _version = 1737752403000000
    _source_key = O5555555
    _key_scope = Sandbox
    _partition_at = 2025-01-24T20:48:50Z
    _ingested_at = 2026-01-01T00:00:00Z
    _run_id = 00000000-0000-0000-0000-000000000003
    _origin = source
    id = b26d8a44-7d25-5924-bf23-8e4f5d580aa9
    tenant_id = 00000000-0000-0000-0000-000000000001
    pc_opportunity_id = O5555555
    lifecycle_stage = technical_validation
    customer_company_name = Acme Corp
    expected_revenue_usd = 300000.00
    close_date = 2029-10-05
    partner_solution_id = S-0059717
    catalog = Sandbox
    arn = arn:aws:partnercentral:us-east-1:111111111111:catalog/Sandbox/opportunity/O5555555
    opportunity_type = Net New Business
    is_closed = false
    review_status = Approved
    next_steps = Review the opportunity and update documentation before finalizing rejection.
    partner_solution_ids = [S-0059717]
    aws_products = []
    aws_marketplace_offers = []
    aws_monthly_revenue = 25000.00
    aws_monthly_revenue_currency = USD
    expected_spend_amount = 25000.00
    currency = USD
    software_value_amount = 10000.00
    software_value_currency = USD
    software_delivery_model = Pay-as-you-go
    software_effective_date = 2023-10-31
    software_expiration_date = 2024-03-31
    project_title = New Business Deal - 5372
    customer_business_problem = A very important problem goes here ValidAWSCreate
    customer_use_case = Security & Compliance
    delivery_models = [SaaS or PaaS]
    sales_activities = [Conducted POC / Demo]
    competitor_name = On-Prem
    industry = Financial Services
    other_industry = Investment Banking
    website_url = https://www.test.com
    customer_aws_account_id = 123456789012
    duns = 987654321
    street_address = 123 Wall Street
    city = New York
    state_or_region = New York
    postal_code = 10001
    country_code = US
    primary_needs_from_aws = [Co-Sell - Architectural Validation]
    marketing_source = Marketing Activity
    campaign_name = MKTG-Q1NYC2
    marketing_channels = [Content Syndication]
    marketing_use_cases = [Analytics]
    aws_funding_used = true
    national_security = false
    created_at = 2025-01-24T20:48:50Z
    last_modified_at = 2025-01-24T21:00:03Z
    "#);
}

#[test]
fn a_lead_and_what_became_of_it() {
    let output = run(&aws(), &[LEAD, LEAD_AFTER]);
    consistent(&output);
    let e = &output.entities[0];
    assert_eq!(e.keys.value(0), e.keys.value(1));
    assert!(e.versions.value(0) < e.versions.value(1));
    assert_ne!(e.content_hash[0], e.content_hash[1]);
    let both = |name: &str| [cell(&e.rows, name, 0), cell(&e.rows, name, 1)];
    assert_eq!(both("lifecycle_stage"), ["prospect", "prospect"]);
    assert_eq!(both("review_status"), ["Pending Submission", "Submitted"]);
    assert_eq!(both("customer_company_name"), ["Hyatt, Wunsch and Fisher", "Boehm, Heaney and Dickinson"]);
    // No entry: null, and never 0. Then 12,900 a month for the year that is assumed.
    assert_eq!(both("expected_revenue_usd"), ["-", "154800.00"]);
    assert_eq!(both("partner_solution_ids"), ["[S-0059631]", "[S-0059631]"]);
    assert_eq!(both("_partition_at"), ["2025-12-15T23:33:13Z", "2025-12-15T23:33:13Z"]);
    assert_eq!(both("_extra"), ["-", "-"]);
}

#[test]
fn spelling_is_no_change() {
    let compact = serde_json::from_str::<serde_json::Value>(REFERRAL).unwrap().to_string();
    let amount = compact.replace("\"25000\"", "25000.0");
    assert_ne!(amount, compact);
    let output = run(&aws(), &[REFERRAL.to_owned(), compact, amount]);
    let hashes = &output.entities[0].content_hash;
    assert!(hashes.iter().all(|h| *h == hashes[0]));
    assert_eq!(cell(&output.entities[0].rows, "aws_monthly_revenue", 2), "25000.00");
}
