"""Pictures of a job: slices in three planes, at the windows of the quality pages.

The slices are PNG images that are drawn here: a hospital's browser needs no WebGL for them, and letters, bar and
verdict stay with a picture that somebody saves. Without JavaScript the page's links do what its keys do.
"""
