"""Counts become a bill: execution, placement, prices, sums, savings."""

from energy.bill.estimate import Estimate, estimate
from energy.bill.layer import ACCOUNTINGS, COMPUTE, GROUPS, LayerEnergy
from energy.bill.many import price_many
from energy.bill.request import bill_of
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
