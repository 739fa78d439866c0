"""What an operator should look at: shown beside the assets, without stopping the run."""

import dagster as dg

from dagster_impl.defs.assets import trained_candidates, validated_batch
from shared.contracts import Evaluation, Plan, Trained, Validated

WARN = dg.AssetCheckSeverity.WARN


@dg.asset_check(asset=validated_batch)
def has_not_drifted(validated_batch: Validated) -> dg.AssetCheckResult:
    """The month's distributions are those of its training window."""
    found = validated_batch.warnings
    return dg.AssetCheckResult(passed=not found, severity=WARN, metadata={"warnings": list(found)})


@dg.asset_check(asset=trained_candidates, additional_ins={"training_plan": dg.AssetIn("training_plan")})
def every_candidate_trained(trained_candidates: list[Trained], training_plan: Plan) -> dg.AssetCheckResult:
    """No planned candidate is missing."""
    planned = {candidate.key for candidate in training_plan.candidates}
    missing = sorted(planned - {trained.candidate.key for trained in trained_candidates})
    return dg.AssetCheckResult(passed=not missing, severity=WARN, metadata={"missing": missing})


@dg.asset_check(asset="evaluation")
def beats_the_base_rate(evaluation: Evaluation) -> dg.AssetCheckResult:
    """The challenger knows more than each airport's share of late flights."""
    challenger, base_rate = evaluation.challenger.brier, evaluation.base_rate.brier
    metadata = {"challenger": challenger, "base_rate": base_rate}
    return dg.AssetCheckResult(passed=challenger < base_rate, severity=WARN, metadata=metadata)
