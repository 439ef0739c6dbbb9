"""Random matches, rated by openskill and by the program of this directory."""

import json
import random
import subprocess
import sys

from openskill.models import PlackettLuce

MATCHES = 400
# Of Templar, of openskill itself, and some at the edges.
SETTINGS = [(7, 0.1), (25 / 6, 25 / 300), (7, 0), (0.5, 1), (30, 3), (1e-3, 0.1)]


def scores_of(rng, players):
    """Scores as a validator has them: some tie, some are 0, some are a punishment."""
    kind = rng.choice(["losses", "few", "zeros", "punished", "equal"])
    if kind == "few":
        return kind, [float(rng.randint(-2, 3)) for _ in range(players)]
    if kind == "zeros":
        return kind, [rng.choice([0.0, -0.0, rng.uniform(-3, 3), -1.0]) for _ in range(players)]
    if kind == "equal":
        return kind, [rng.choice([0.25, 0.0])] * players
    scores = [rng.gauss(0.001, 0.02) for _ in range(players)]
    if kind == "punished":
        scores = [rng.choice([s, s, -99.0]) for s in scores]
    return kind, scores


def season(rng, beta, tau, matches):
    """Matches of one field of players; each begins with what the last left."""
    model = PlackettLuce(beta=beta, tau=tau)
    field = [model.rating(name=str(i)) for i in range(40)]
    for player in field[20:]:
        player.mu, player.sigma = rng.uniform(-30, 80), rng.uniform(0.01, 20)
    for _ in range(matches):
        who = rng.sample(range(len(field)), rng.choice([2, 3, 8, 15, 20, 40]))
        kind, scores = scores_of(rng, len(who))
        before = [[field[i].mu, field[i].sigma] for i in who]
        after = model.rate([[field[i]] for i in who], scores=list(scores))
        for i, (player,) in zip(who, after):
            field[i] = player
        yield (
            f"{kind}, {len(who)} players, beta {beta:.4g}, tau {tau:.4g}",
            {"beta": beta, "tau": tau, "before": before, "scores": scores},
            [[p.mu, p.sigma, p.ordinal()] for (p,) in after],
        )


def main():
    program = sys.argv[1]
    rng = random.Random(20250919)
    played = []
    for n, (beta, tau) in enumerate(SETTINGS):
        played += season(rng, beta, tau, MATCHES // len(SETTINGS) + (n < MATCHES % len(SETTINGS)))
    lines = "".join(json.dumps(match) + "\n" for _, match, _ in played)
    ours = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in ours.stdout.splitlines()]
    if len(answers) != len(played):
        sys.exit(f"{len(played)} matches, {len(answers)} answers")

    passed = failed = 0
    furthest = 0.0
    for number, ((what, match, want), got) in enumerate(zip(played, answers)):
        apart = max(
            abs(a - b) / max(1, abs(a)) for p, q in zip(want, got) for a, b in zip(p, q)
        )
        furthest = max(furthest, apart)
        good = len(want) == len(got) and apart <= 1e-9
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAIL match {number} ({what}): {apart:.3g} apart, scores {match['scores']}")
    print(f"ratings and ordinals are {furthest:.2g} apart at most")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


main()
