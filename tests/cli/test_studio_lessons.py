"""``pellucid studio --lesson``: what is not a lesson is refused."""


def test_a_file_that_is_not_a_lesson_is_refused_with_the_step(pellucid, tmp_path):
    (tmp_path / "a.json").write_text('{"title": {"en": "A"}, "steps": [{"txt": 1}]}')
    result = pellucid("studio", "lenet", "--lesson", "a.json", "--no-open")
    assert result.returncode == 1
    assert "--lesson: 'a.json', step 1: `txt` is unknown. Did you mean 'text'?" in result.stderr
    result = pellucid("studio", "lenet", "--lesson", "gone.json", "--no-open")
    assert "--lesson: there is no file 'gone.json'" in result.stderr
