"""The numbers of the promotion rule: when a challenger replaces the champion."""

from __future__ import annotations

from pydantic import Field

from difsims_core.config.base import Spec


class PromotionSpec(Spec):
    """Thresholds of the rule that `models.promotion_rule` applies and writes out as a sentence.

    A fraction of 0.01 is one pattern of a hundred; an F1 lies in 0 … 1.
    """

    confidence: float = Field(
        default=0.975, ge=0.8, le=0.9999, description="of each one-sided bound of a difference; 0.975: 95 % two-sided"
    )
    accuracy_tolerance_fraction: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="held-out accuracy that a challenger may lose at most, sampling error included",
    )
    recall_tolerance_fraction: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="held-out recall of any one phase that it may lose at most, sampling error included",
    )
    accuracy_gain_fraction: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="least gain in held-out accuracy that counts as better; it must exceed its sampling error too",
    )
    peaks_tolerance_f1: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="peaks F1 above the null, mean over the experiments, that it may lose at most",
    )
    peaks_gain_f1: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="least gain in peaks F1 above the null that counts as better; it must exceed its error too",
    )
    phases_tolerance_fraction: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="part of the phases of the experiments whose peaks may fit no better than the null any longer",
    )
    least_experiments: int = Field(
        default=0, ge=0, description="experiments that both must have mapped; with fewer the champion stays"
    )
    above_chance_fraction: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="a first champion: least held-out accuracy above that of always naming the most frequent phase",
    )
