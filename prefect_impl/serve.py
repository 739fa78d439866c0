"""`python -m prefect_impl.serve`: the flow as a deployment, whose runs the UI, the API or a schedule asks for."""

from prefect_impl import hooks
from prefect_impl.pipeline import late_flights
from shared.settings import Settings

DESCRIPTION = """\
Retrains the model that tells whether a flight out of New York will land more than 15 minutes late, and puts it in
service if it beats the champion on the month. **Run › Custom run** asks for the month.

- What a run has found is under **Artifacts** on its page: leaderboard, evaluation, calibration, champion, and the link
  to MLflow.
- **Retry** on the page of a run that failed or crashed goes on where it broke off: trained candidates are not trained
  again.
- The open-source UI has no page for the assets `triptych://features` and `triptych://model`: they are events
  `prefect.asset.…` in the **Event Feed**.
"""


def main() -> None:
    """Serve until SIGTERM; the runs whose process is gone are ended first."""
    hooks.end_abandoned(Settings(tool="prefect"))
    late_flights.serve(
        name="monthly-retraining",
        description=DESCRIPTION,
        tags=["scikit-learn", "mlflow", "champion-challenger"],
        webserver=True,  # tells the UI's command when it is ready
    )


if __name__ == "__main__":
    main()
