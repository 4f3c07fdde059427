"""Counts become a bill: execution, placement, prices, sums, savings."""

from energy.bill.estimate import Estimate, bill_of, estimate
from energy.bill.layer import ACCOUNTINGS, COMPUTE, GROUPS, LayerEnergy
from energy.bill.pricing import price_many
from energy.bill.saving import Saving, saving

__all__ = [
    "ACCOUNTINGS",
    "COMPUTE",
    "GROUPS",
    "Estimate",
    "LayerEnergy",
    "Saving",
    "bill_of",
    "estimate",
    "price_many",
    "saving",
]
