"""Every case against shared-ollama, and beside it against nginx and HAProxy where they are installed (README.md here)."""

import pytest

import fronts
import musts
import runner
import table

CASES = runner.load_cases()
PAIRS = [(case, way) for case in CASES for way in case.ways]


@pytest.fixture(scope="session")
def seen(request, tmp_path_factory):
    """The selected cases are run once, side by side, before the first is judged."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    selected = [some["pair"][0] for some in params if "pair" in some]
    return runner.run_all([case for case in CASES if case in selected], tmp_path_factory.mktemp("lanes"))


def name_of(pair):
    return f"{pair[0].id}-{pair[1]}" if pair[1] else pair[0].id


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_case(pair, seen, request):
    case, way = pair
    if case.is_pending(way):
        request.applymarker(pytest.mark.xfail(reason=case.pending, raises=AssertionError, strict=True))
    runner.judge(case, way, seen[case.id, way, "shared-ollama"])
    laxer_than = runner.stricter(case, way, seen)
    assert not laxer_than or case.lax, f"we are laxer than {laxer_than}"


def test_the_document_is_the_table_of_these_cases():
    assert table.DOCUMENT.read_text() == table.document(CASES, table.load_record())


def test_each_must_has_cases_that_exist_or_a_reason():
    known = {case.id for case in CASES}
    named = {name for _, _, cases in musts.MUSTS if not isinstance(cases, str) for name in cases}
    assert named <= known, f"no such cases: {named - known}"


@pytest.mark.parametrize("front_class", [front for front in fronts.installed() if front is not fronts.Ours])
def test_a_port_that_somebody_took_meanwhile_is_not_shared(front_class, tmp_path, monkeypatch, request):
    def start(name):
        folder = tmp_path / name
        folder.mkdir()
        front = front_class(folder)
        request.addfinalizer(front.finish)
        return front

    free_port = fronts.free_port
    one = start("one")
    offered = [one.port]
    monkeypatch.setattr(fronts, "free_port", lambda: offered.pop() if offered else free_port())
    assert start("other").port != one.port
    assert not offered
