"""What measures speed and cost, beside named peers; figures are ratios of one run."""
