"""What scripts/bench and scripts/crash run: peers, loads and ledgers. Each measurement starts from a fresh folder."""
