"""The rules behind the figures, as the report prints them."""

RULES: tuple[str, ...] = (
    "Dice, NSD and HD95 compare a structure only on films where it is truly present. Present but "
    "not predicted at all: Dice 0, NSD 0, HD95 the diagonal of the film. Truly absent: undefined, "
    "left out of means, and counted as false area instead.",
    "NSD is the share of both outlines that lie within 2 mm of the other one; HD95 is the larger "
    "of the two 95th percentiles of outline distances, in mm at the plane of the hip.",
    "Ossification is scored where it is visible; ossification that exists but cannot be seen is "
    "neither missed nor false. Pixels outside the exposed field, and those a reader marked as "
    "don't-care, are not scored; what is painted outside the field is reported as an area of its "
    "own, on films whose truth knows their border.",
    "Small pieces of metal (a clip of 5 mm²) count as implant, and Dice punishes a missed one like "
    "a missed prosthesis. So the Dice over films with at least 1 cm² is given beside the mean.",
    "Off bone and over bone: the part of the ossification outside, and inside, the true outlines "
    "of pelvis and femur. A lesion is over bone when at least half of it is.",
    "A lesion is a connected component of at least 0.25 cm². A true one is found when 20 % of it "
    "are covered; a predicted one is false unless 20 % of it lie on true ossification. F1 is the "
    "harmonic mean of sensitivity (true lesions) and precision (predicted lesions).",
    "Detection (ROC): a film or hip counts as positive with a visible lesion of at least 0.25 cm², "
    "as negative without visible ossification; what lies between is left out. With grades alone, "
    "positive means a class above 0.",
    "On a film with two hips, every pixel belongs to the hip whose femoral head is nearer. A hip "
    "the model did not find, or refused to grade, counts as abstained: it is in no confusion "
    "matrix, and its share is reported.",
    "Kappa is Cohen's; quadratic weights count a disagreement by the square of its size; it is "
    "left out where only one true class occurs, because it is 0 there by definition. Severe is III "
    "or IV; its AUC uses the probability of III plus that of IV, and where hips tie, the expected "
    "class. The AUC of the true masks uses their class and, within a class, the narrower gap: what "
    "the rules alone reach with perfect masks. Calibrated probabilities can order hips better than "
    "that.",
    "Data sets judged together that differ in prevalence spread the classes wider than each of "
    "them: kappa over all can then exceed that of every single one. Judge it set by set.",
    "The class is the one the rules give. The likeliest class is the one with the highest "
    "probability; where a model brings calibrated probabilities the two can differ. Risk against "
    "coverage orders hips by the probability of the class that was given.",
    "The Brier score of the class adds the squared errors of its five probabilities; the expected "
    "calibration error uses ten bins of equal width.",
    "Limits of agreement are bias -/+ 1.96 standard deviations of predicted less true gap, over "
    "hips with a true gap (a bridge has none; one predicted where there is a gap counts as 0 mm).",
    "Intervals are 95 % percentile intervals of a bootstrap that resamples patients, with all "
    "their films and hips, and the same resamples for every figure. No interval is given for a "
    "single patient, or where the figure is undefined in most resamples.",
)
