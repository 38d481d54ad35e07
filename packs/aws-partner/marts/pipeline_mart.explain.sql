-- The opportunities behind a row: those in the stage now, and those seen in it before.
SELECT o.catalog, o.pc_opportunity_id, o.lifecycle_stage, o.outcome, o.expected_revenue_usd, o.close_date, 'now' AS counted_as
FROM silver.partner_central_opportunity o
WHERE (o.lifecycle_stage IS NOT DISTINCT FROM $1)
  AND (o.partner_solution_id IS NOT DISTINCT FROM $2)
  AND (date_trunc('quarter', o.close_date) IS NOT DISTINCT FROM $3)
UNION ALL
SELECT DISTINCT c.catalog, c.pc_opportunity_id, c.lifecycle_stage, c.outcome, c.expected_revenue_usd, c.close_date, 'seen' AS counted_as
FROM silver.partner_central_opportunity__changes c
WHERE c._change = 'update_before'
  AND (c.lifecycle_stage IS NOT DISTINCT FROM $1)
  AND (c.partner_solution_id IS NOT DISTINCT FROM $2)
  AND (date_trunc('quarter', c.close_date) IS NOT DISTINCT FROM $3)
