-- Closed is won or lost; won is launched. The history begins with the first sight of an opportunity:
-- a visit of a stage that was under way then has no duration (left_censored), unless the opportunity was new.
WITH current AS (
  SELECT
    lifecycle_stage, partner_solution_id, date_trunc('quarter', close_date) AS close_quarter,
    outcome, is_closed, expected_revenue_usd
  FROM silver.partner_central_opportunity
),
seen AS (
  SELECT
    catalog, pc_opportunity_id, partner_solution_id, date_trunc('quarter', close_date) AS close_quarter,
    lifecycle_stage, created_at, last_modified_at, _version, _change_commit,
    row_number() OVER w AS sight,
    lag(lifecycle_stage) OVER w AS stage_before
  FROM silver.partner_central_opportunity__changes
  WHERE _change IN ('insert', 'update_after')
  WINDOW w AS (PARTITION BY catalog, pc_opportunity_id ORDER BY _change_commit, _version)
),
visits AS (
  SELECT
    *,
    -- Known where the change into the stage was seen, or the opportunity was in it from its beginning.
    CASE WHEN sight > 1 THEN last_modified_at WHEN last_modified_at <= created_at + INTERVAL '1 minute' THEN created_at END AS entered_at,
    lead(last_modified_at) OVER v AS left_at,
    lead(lifecycle_stage) OVER v AS stage_after
  FROM seen
  WHERE sight = 1 OR stage_before IS DISTINCT FROM lifecycle_stage
  WINDOW v AS (PARTITION BY catalog, pc_opportunity_id ORDER BY _change_commit, _version)
),
standing AS (
  SELECT
    lifecycle_stage, partner_solution_id, close_quarter,
    count(*) AS opportunities,
    count(*) FILTER (WHERE NOT is_closed) AS open_opportunities,
    count(*) FILTER (WHERE outcome = 'won') AS won,
    count(*) FILTER (WHERE outcome = 'lost') AS lost,
    sum(expected_revenue_usd) FILTER (WHERE NOT is_closed) AS pipeline_value_usd,
    count(*) FILTER (WHERE NOT is_closed AND expected_revenue_usd IS NULL) AS without_value,
    sum(expected_revenue_usd) FILTER (WHERE outcome = 'won') AS won_value_usd
  FROM current
  GROUP BY lifecycle_stage, partner_solution_id, close_quarter
),
movement AS (
  SELECT
    lifecycle_stage, partner_solution_id, close_quarter,
    count(DISTINCT catalog || '/' || pc_opportunity_id) AS entered,
    count(DISTINCT CASE WHEN stage_after <> 'closed_lost' THEN catalog || '/' || pc_opportunity_id END) AS moved_on,
    count(left_at) AS left_stage,
    count(*) FILTER (WHERE left_at IS NOT NULL AND entered_at IS NULL) AS left_censored,
    avg(CAST(date_part('epoch', left_at - entered_at) AS DOUBLE)) / 86400.0 AS avg_days_in_stage,
    avg(CASE WHEN lifecycle_stage = 'launched' AND sight > 1 THEN CAST(date_part('epoch', last_modified_at - created_at) AS DOUBLE) END) / 86400.0 AS avg_days_to_win
  FROM visits
  GROUP BY lifecycle_stage, partner_solution_id, close_quarter
),
rates AS (
  SELECT
    partner_solution_id, close_quarter,
    CAST(count(*) FILTER (WHERE outcome = 'won') AS DOUBLE) / nullif(count(*) FILTER (WHERE is_closed), 0) AS win_rate
  FROM current
  GROUP BY partner_solution_id, close_quarter
),
names AS (
  SELECT lifecycle_stage, partner_solution_id, close_quarter FROM standing
  UNION
  SELECT lifecycle_stage, partner_solution_id, close_quarter FROM movement
)
SELECT
  n.lifecycle_stage, n.partner_solution_id, n.close_quarter,
  coalesce(s.opportunities, 0) AS opportunities,
  coalesce(s.open_opportunities, 0) AS open_opportunities,
  coalesce(s.won, 0) AS won,
  coalesce(s.lost, 0) AS lost,
  CAST(coalesce(s.pipeline_value_usd, 0) AS DECIMAL(38, 2)) AS pipeline_value_usd,
  coalesce(s.without_value, 0) AS without_value,
  CAST(coalesce(s.won_value_usd, 0) AS DECIMAL(38, 2)) AS won_value_usd,
  coalesce(m.entered, 0) AS entered,
  coalesce(m.moved_on, 0) AS moved_on,
  CAST(m.moved_on AS DOUBLE) / nullif(m.entered, 0) AS stage_conversion,
  coalesce(m.left_stage, 0) AS left_stage,
  coalesce(m.left_censored, 0) AS left_censored,
  m.avg_days_in_stage,
  r.win_rate,
  m.avg_days_to_win
FROM names n
LEFT JOIN standing s
  ON (n.lifecycle_stage IS NOT DISTINCT FROM s.lifecycle_stage)
  AND (n.partner_solution_id IS NOT DISTINCT FROM s.partner_solution_id)
  AND (n.close_quarter IS NOT DISTINCT FROM s.close_quarter)
LEFT JOIN movement m
  ON (n.lifecycle_stage IS NOT DISTINCT FROM m.lifecycle_stage)
  AND (n.partner_solution_id IS NOT DISTINCT FROM m.partner_solution_id)
  AND (n.close_quarter IS NOT DISTINCT FROM m.close_quarter)
LEFT JOIN rates r
  ON (n.partner_solution_id IS NOT DISTINCT FROM r.partner_solution_id)
  AND (n.close_quarter IS NOT DISTINCT FROM r.close_quarter)
