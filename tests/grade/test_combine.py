"""Which image speaks for a hip, and which images are of one study."""

from dataclasses import dataclass

from hoseg.grade.combine import combine
from hoseg.grade.finding import HipFinding
from hoseg.radiograph import Side, View


def finding(side=Side.LEFT, brooker=2, view=View.AP_PELVIS, gap_mm=12.0, pattern="spur"):
    """A finding with the part that the rule looks at."""
    return HipFinding(
        side=side, classes={"brooker": brooker}, view=view, gap_mm=gap_mm, pattern=pattern
    )


@dataclass
class Image:
    """An image of the same study of the same patient as every other, unless it says otherwise."""

    hips: tuple = ()
    name: str = "film"
    study_uid: str = "1.2"
    patient_id: str = "P"

    @property
    def film_id(self):
        return self.name


def study(*hips_of_images, **more):
    """(findings, keys) of a study with such images."""
    images = [Image(hips, f"film{k}", **more) for k, hips in enumerate(hips_of_images, start=1)]
    found = combine(images)
    return [hip.finding for hip in found], [hip.key for hip in found]


def test_both_hips_of_one_image_stay():
    findings, keys = study((finding(Side.RIGHT), finding(Side.LEFT)))
    assert len(findings) == 2
    assert keys == ["1.2/P/right", "1.2/P/left"]


def test_hips_of_unknown_side_are_merged_with_no_other():
    unknown = finding(Side.UNKNOWN)
    findings, keys = study((unknown, finding(Side.UNKNOWN, 0)), (finding(), unknown))
    assert [hip.brooker for hip in findings] == [2, 0, 2, 2]
    assert keys == ["1.2/P/unknown-1", "1.2/P/unknown-2", "1.2/P/left", "1.2/P/unknown-3"]


def test_graded_before_abstained():
    (kept,), _ = study((finding(brooker=None),), (finding(brooker=0),))
    assert kept.brooker == 0
    assert kept.caveats == ()


def test_ap_before_another_view():
    (kept,), _ = study((finding(brooker=4, view=View.FROG_LEG),), (finding(brooker=1),))
    assert kept.brooker == 1


def test_worse_class_then_smaller_gap_then_the_first():
    three = [finding(brooker=3, gap_mm=gap) for gap in (8.0, 6.0, 6.0)]
    images = [Image((one,), str(k)) for k, one in enumerate((three[0], finding(), *three[1:]))]
    (kept,) = combine(images)
    assert (kept.finding.brooker, kept.finding.gap_mm) == (3, 6.0)
    assert kept.image is images[2]


def test_the_key_does_not_depend_on_the_image_that_decides():
    milder, worse = (finding(brooker=1),), (finding(brooker=3),)
    assert study(milder, worse)[1] == study(worse, milder)[1] == study(milder)[1]


def test_a_caveat_names_the_image_that_disagrees():
    (kept,), _ = study((finding(brooker=3, view=View.FROG_LEG),), (finding(),))
    assert [note.code for note in kept.caveats] == ["other_view_disagrees"]
    assert kept.caveats[0].text == "film1 (frog-leg lateral) reads as III"
    (bridge,), _ = study((finding(brooker=4, pattern="bridge"),), (finding(),))
    assert [note.code for note in bridge.caveats] == ["other_view_shows_no_bridge"]
    assert "film2 (AP pelvis) shows no bridge" in bridge.caveats[0].text


def test_a_film_without_study_uid_is_a_study_of_its_own():
    findings, keys = study(*[(finding(brooker=k),) for k in range(5)], study_uid="", patient_id="")
    assert [hip.brooker for hip in findings] == [0, 1, 2, 3, 4]
    assert keys == [f"film{k}//left" for k in range(1, 6)]


def test_a_study_uid_on_films_of_several_patients_joins_none_of_them():
    images = [
        Image((finding(brooker=k),), f"film{k}", patient_id=patient)
        for k, patient in enumerate(("A", "A", "B"))
    ]
    found = combine(images)
    assert [hip.key for hip in found] == ["film0/A/left", "film1/A/left", "film2/B/left"]
    assert all(hip.finding.caveats == () for hip in found)
    # The same from one film alone, once it is known of the others.
    (alone,) = combine(images[:1], mixed={"1.2"})
    assert alone == found[0]


def test_a_missing_patient_id_is_no_other_patient():
    images = [Image((finding(),), "a", patient_id=""), Image((finding(brooker=3),), "b")]
    (kept,) = combine(images)
    assert (kept.key, kept.finding.brooker) == ("1.2/P/left", 3)


def test_nothing_in_nothing_out():
    assert combine([]) == ()
    assert combine([Image()]) == ()
