"""The same work as Lakewright does, in DuckDB: raw records, checks, quality results, dead letters,
Silver (latest version per key, typed columns and the raw payload, partitioned by month), change rows.
No commit log, no fsync, no key index, no lineage, one shot from an empty directory.

  duckdb_job.py INPUT.ndjson OUTDIR [--memory 512MB]     prints its counts as one JSON line
"""
import json, os, sys

SPEND = 'STRUCT(Amount VARCHAR,CurrencyCode VARCHAR,Frequency VARCHAR,TargetCompany VARCHAR)[]'
COLS = f"""{{Id:'VARCHAR',"Catalog":'VARCHAR',Arn:'VARCHAR',PartnerOpportunityIdentifier:'VARCHAR',OpportunityType:'VARCHAR',
LifeCycle:'STRUCT(Stage VARCHAR,ReviewStatus VARCHAR,TargetCloseDate VARCHAR,NextSteps VARCHAR,ClosedLostReason VARCHAR)',
Customer:'STRUCT(Account STRUCT(CompanyName VARCHAR,Industry VARCHAR,WebsiteUrl VARCHAR,AwsAccountId VARCHAR,Duns VARCHAR,Address STRUCT(StreetAddress VARCHAR,City VARCHAR,StateOrRegion VARCHAR,PostalCode VARCHAR,CountryCode VARCHAR)),Contacts STRUCT(Email VARCHAR)[])',
Project:'STRUCT(Title VARCHAR,CustomerBusinessProblem VARCHAR,CustomerUseCase VARCHAR,DeliveryModels VARCHAR[],ExpectedCustomerSpend {SPEND},ExpectedContractDuration STRUCT("Value" VARCHAR),SalesActivities VARCHAR[],CompetitorName VARCHAR,AdditionalComments VARCHAR)',
RelatedEntityIdentifiers:'STRUCT(Solutions VARCHAR[],AwsProducts VARCHAR[],AwsMarketplaceOffers VARCHAR[])',
SoftwareRevenue:'STRUCT("Value" STRUCT(Amount VARCHAR,CurrencyCode VARCHAR),DeliveryModel VARCHAR)',
PrimaryNeedsFromAws:'VARCHAR[]',Marketing:'STRUCT(Source VARCHAR,CampaignName VARCHAR)',NationalSecurity:'VARCHAR',CreatedDate:'VARCHAR',LastModifiedDate:'VARCHAR'}}"""

EMAIL = "[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}"


def job(src, out, memory):
    import duckdb
    c = duckdb.connect()
    c.execute(f"SET preserve_insertion_order=true; SET threads=2; SET enable_progress_bar=false; SET TimeZone='UTC'; SET memory_limit='{memory}'; SET temp_directory='{out}/tmp'")
    z = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    # Bronze: each record with its offset, run and place.
    c.execute(f"""COPY (SELECT 1::BIGINT AS _shard, row_number() OVER () - 1 AS _offset, now() AS _ingested_at, 'run' AS _run_id, 'connector' AS _connector_id,
                  'upsert' AS _operation, 'json' AS _payload_format, '{os.path.basename(src)}@' || (row_number() OVER ()) AS _location, json::VARCHAR AS payload
                  FROM read_ndjson_objects('{src}')) TO '{out}/bronze.parquet' {z}""")
    # Types and rules: once over Bronze, so that payload and offset stay with the row.
    c.execute(f"""
    CREATE TEMP TABLE typed AS
    WITH r AS (SELECT row_number() OVER () - 1 AS _offset, * FROM read_json('{src}', format='newline_delimited', columns={COLS})),
    s AS (SELECT *, list_filter(Project.ExpectedCustomerSpend, lambda x: x.TargetCompany = 'AWS')[1].Amount AS aws_text,
            list_filter(Project.ExpectedCustomerSpend, lambda x: x.TargetCompany = 'Self')[1].Amount AS self_text,
            try_cast(LifeCycle.TargetCloseDate AS DATE) AS close_date, try_cast(LastModifiedDate AS TIMESTAMPTZ) AS last_modified_at FROM r),
    t AS (SELECT *, try_cast(aws_text AS DECIMAL(38,2)) AS aws_monthly_revenue, try_cast(self_text AS DECIMAL(38,2)) AS total_contract_value,
            try_cast(Project.ExpectedContractDuration."Value" AS BIGINT) AS contract_months, Project.ExpectedCustomerSpend[1].CurrencyCode AS currency FROM s),
    u AS (SELECT *, CASE WHEN currency = 'USD' THEN coalesce(total_contract_value, aws_monthly_revenue * coalesce(contract_months, 12)) END AS expected_revenue_usd,
            CASE WHEN Id IS NULL OR Customer.Account.CompanyName IS NULL OR last_modified_at IS NULL THEN 'required_fields'
                 WHEN LifeCycle.TargetCloseDate IS NOT NULL AND close_date IS NULL THEN 'type:close_date' END AS reject,
            len(list_filter(Customer.Contacts, lambda x: NOT regexp_full_match(x.Email, '{EMAIL}'))) > 0 AS bad_email FROM t)
    SELECT *, coalesce(expected_revenue_usd <= 0, false) OR (currency <> 'USD' AND coalesce(total_contract_value, aws_monthly_revenue) IS NOT NULL) AS warned FROM u""")
    c.execute(f"""COPY (SELECT 'tenant' AS tenant_id, 'connector' AS connector_id, 'run' AS ingestion_run_id, 'PartnerCentralOpportunity' AS entity, 1 AS address_shard,
                  _offset AS address_offset, Id AS source_key, reject IS NULL AND NOT bad_email AS is_valid,
                  CASE WHEN reject IS NOT NULL THEN [reject] WHEN bad_email THEN ['contact_email'] ELSE [] END AS failed_rules,
                  CASE WHEN warned THEN ['revenue'] ELSE [] END AS warnings, now() AS checked_at FROM typed) TO '{out}/quality.parquet' {z}""")
    c.execute(f"""COPY (SELECT 'PartnerCentralOpportunity' AS entity, 1 AS address_shard, t._offset AS address_offset, t.Id AS source_key, 'schema' AS reason, t.reject AS rule,
                  b.payload, now() AS rejected_at FROM typed t JOIN '{out}/bronze.parquet' b USING (_offset) WHERE t.reject IS NOT NULL) TO '{out}/dead_letters.parquet' {z}""")
    c.execute("""CREATE TEMP TABLE latest AS SELECT * FROM typed WHERE reject IS NULL
                 QUALIFY row_number() OVER (PARTITION BY "Catalog", Id ORDER BY last_modified_at DESC, _offset DESC) = 1""")
    typed = """md5("Catalog" || t.Id)::UUID AS id, 'tenant' AS tenant_id, t.Id AS pc_opportunity_id, lower(replace(LifeCycle.Stage, ' ', '_')) AS lifecycle_stage,
        Customer.Account.CompanyName AS customer_company_name, expected_revenue_usd, close_date, RelatedEntityIdentifiers.Solutions[1] AS partner_solution_id,
        t."Catalog" AS catalog, Arn AS arn, PartnerOpportunityIdentifier AS partner_opportunity_identifier, OpportunityType AS opportunity_type,
        CASE LifeCycle.Stage WHEN 'Launched' THEN 'won' WHEN 'Closed Lost' THEN 'lost' END AS outcome, LifeCycle.Stage IN ('Launched', 'Closed Lost') AS is_closed,
        LifeCycle.ReviewStatus AS review_status, LifeCycle.ClosedLostReason AS closed_lost_reason, LifeCycle.NextSteps AS next_steps,
        RelatedEntityIdentifiers.Solutions AS partner_solution_ids, RelatedEntityIdentifiers.AwsProducts AS aws_products,
        RelatedEntityIdentifiers.AwsMarketplaceOffers AS aws_marketplace_offers, total_contract_value, aws_monthly_revenue, currency, contract_months,
        try_cast(SoftwareRevenue."Value".Amount AS DECIMAL(38,2)) AS software_value_amount, SoftwareRevenue."Value".CurrencyCode AS software_value_currency,
        SoftwareRevenue.DeliveryModel AS software_delivery_model, Project.Title AS project_title, Project.CustomerBusinessProblem AS customer_business_problem,
        Project.CustomerUseCase AS customer_use_case, Project.DeliveryModels AS delivery_models, Project.SalesActivities AS sales_activities,
        Project.CompetitorName AS competitor_name, Project.AdditionalComments AS additional_comments, Customer.Account.Industry AS industry,
        Customer.Account.WebsiteUrl AS website_url, Customer.Account.AwsAccountId AS customer_aws_account_id, Customer.Account.Duns AS duns,
        Customer.Account.Address.StreetAddress AS street_address, Customer.Account.Address.City AS city, Customer.Account.Address.StateOrRegion AS state_or_region,
        Customer.Account.Address.PostalCode AS postal_code, Customer.Account.Address.CountryCode AS country_code, PrimaryNeedsFromAws AS primary_needs_from_aws,
        Marketing.Source AS marketing_source, Marketing.CampaignName AS campaign_name, NationalSecurity IN ('Yes', 'true') AS national_security,
        try_cast(CreatedDate AS TIMESTAMPTZ) AS created_at, last_modified_at"""
    c.execute(f"""COPY (SELECT {typed}, b.payload AS payload_json, 1 AS _address_shard, t._offset AS _address_offset,
                  year(try_cast(CreatedDate AS TIMESTAMPTZ)) AS year, month(try_cast(CreatedDate AS TIMESTAMPTZ)) AS month
                  FROM latest t JOIN '{out}/bronze.parquet' b USING (_offset)) TO '{out}/silver' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY (year, month))""")
    c.execute(f"COPY (SELECT 'insert' AS _change, now() AS _changed_at, {typed} FROM latest t) TO '{out}/changes.parquet' {z}")
    one = lambda q: c.execute(q).fetchone()[0]
    return {"read": one("SELECT count(*) FROM typed"), "rejected": one("SELECT count(*) FROM typed WHERE reject IS NOT NULL"),
            "flagged": one("SELECT count(*) FROM typed WHERE reject IS NULL AND bad_email"), "live": one(f"SELECT count(*) FROM '{out}/silver/**/*.parquet'"),
            "revenue": str(one(f"SELECT sum(expected_revenue_usd) FROM '{out}/silver/**/*.parquet'"))}


if __name__ == "__main__":
    memory = sys.argv[4] if len(sys.argv) > 4 else "8GB"
    print(json.dumps(job(sys.argv[1], sys.argv[2], memory)))
